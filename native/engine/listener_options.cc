#include "listener_options.h"

#include <algorithm>

namespace edgeproxy {

namespace {
// Years; far from what an addition to the clock could overflow.
constexpr double kMostMs = 1e12;

class WordReader {
 public:
  explicit WordReader(const double* words) : words_(words) {}

  uint64_t Ms(ListenerWord word) const { return static_cast<uint64_t>(Clamped(word, kMostMs)); }
  uint32_t Count(ListenerWord word) const { return static_cast<uint32_t>(Clamped(word, INT32_MAX)); }

 private:
  double Clamped(ListenerWord word, double most) const {
    const double value = words_[static_cast<size_t>(word)];
    // False for NaN, too.
    return value > 0 ? std::min(value, most) : 0;
  }

  const double* words_;
};
}  // namespace

ListenerOptions ListenerOptions::Of(const Words& words) {
  ListenerOptions options;
  for (uint32_t id = 0; id < kMaxListeners; id++) {
    const WordReader reader(&words[size_t{id} * kListenerWords]);
    ListenerSettings& to = options.listeners_[id];
    to.connect_timeout_ms = reader.Ms(ListenerWord::kConnectTimeoutMs);
    to.connect_total_timeout_ms = reader.Ms(ListenerWord::kConnectTotalTimeoutMs);
    to.idle_timeout_ms = reader.Ms(ListenerWord::kIdleTimeoutMs);
    to.half_close_timeout_ms = reader.Ms(ListenerWord::kHalfCloseTimeoutMs);
    to.max_lifetime_ms = reader.Ms(ListenerWord::kMaxLifetimeMs);
    to.hello_timeout_ms = reader.Ms(ListenerWord::kHelloTimeoutMs);
    to.max_connections = reader.Count(ListenerWord::kMaxConnections);
    to.max_sessions_per_client = reader.Count(ListenerWord::kMaxSessionsPerClient);
    to.flags = reader.Count(ListenerWord::kFlags);
  }
  return options;
}

}  // namespace edgeproxy
