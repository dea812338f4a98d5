#include "listener_options.h"

#include <limits>

#include "check.h"

namespace edgeproxy::test {

TEST(ReadsByIds, "a listener has the numbers at its id") {
  ListenerOptions::Words words{};
  for (size_t word = 0; word < kListenerWords; word++) words[3 * kListenerWords + word] = static_cast<double>(10 + word);
  const ListenerOptions options = ListenerOptions::Of(words);
  const ListenerSettings& third = options.Get(3);
  CHECK_EQ(third.connect_timeout_ms, 10u);
  CHECK_EQ(third.connect_total_timeout_ms, 11u);
  CHECK_EQ(third.idle_timeout_ms, 12u);
  CHECK_EQ(third.half_close_timeout_ms, 13u);
  CHECK_EQ(third.max_lifetime_ms, 14u);
  CHECK_EQ(third.max_connections, 15u);
  CHECK_EQ(third.flags, 16u);
  CHECK_EQ(third.hello_timeout_ms, 17u);
  CHECK_EQ(third.max_sessions_per_client, 18u);
  CHECK_EQ(options.Get(2).idle_timeout_ms, 0u);
  CHECK_EQ(options.Get(4).idle_timeout_ms, 0u);
}

TEST(ClampsNumbers, "numbers that are none are off and those beyond all reason are the most") {
  ListenerOptions::Words words{};
  words[static_cast<size_t>(ListenerWord::kIdleTimeoutMs)] = std::numeric_limits<double>::infinity();
  words[static_cast<size_t>(ListenerWord::kMaxLifetimeMs)] = std::numeric_limits<double>::quiet_NaN();
  words[static_cast<size_t>(ListenerWord::kConnectTimeoutMs)] = -5;
  words[static_cast<size_t>(ListenerWord::kMaxConnections)] = 1e300;
  const ListenerOptions options = ListenerOptions::Of(words);
  CHECK_EQ(options.Get(0).idle_timeout_ms, 1'000'000'000'000u);
  CHECK_EQ(options.Get(0).max_lifetime_ms, 0u);
  CHECK_EQ(options.Get(0).connect_timeout_ms, 0u);
  CHECK_EQ(options.Get(0).max_connections, static_cast<uint32_t>(INT32_MAX));
}

TEST(StaysInBounds, "an id beyond all listeners is no address out of bounds") {
  ListenerOptions options;
  options.Edit(0).flags = kListenerHello;
  CHECK(options.Get(kMaxListeners).Has(kListenerHello));
  CHECK(options.Get(UINT32_MAX).Has(kListenerHello));
}

}  // namespace edgeproxy::test
