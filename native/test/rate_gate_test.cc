// Who is over its rate, read as the workers' RateTable writes it: the same clients, the same ticks, the same ring.
#include "rate_gate.h"

#include <cstdint>

#include "check.h"
#include "fake_workers.h"

namespace edgeproxy::test {

namespace {

constexpr uint32_t kSets = 4;
// What RateRule makes of 100 a second in bursts of 10: I = 10,000 µs.
constexpr RateRule kRule{1, 90'000, 0x1234567};
constexpr uint64_t kNow = 5'000'000'000;  // 32 bits have wrapped
constexpr PeerAddress kClient{{0, 0, 0xffff, 0x7f000002}, 4242};

struct Rated {
  ControlRegion region{1, kSets};
  RateGate gate{region.view()};

  Rated() { gate.Configure(kRule); }
  RateSet& SetOf(const PeerAddress& client) { return region.view().rate_set(KeyOf(client).set & (kSets - 1)); }
  ClientKey KeyOf(const PeerAddress& client) {
    const uint32_t seeds[4] = {};
    return ClientKey::Of(seeds, ClientKey::kAnyListener, client);
  }
  // A bucket of the client's at that place of its set.
  void Own(uint32_t place, const PeerAddress& client, int64_t ticks_ahead) {
    RateBucket& bucket = SetOf(client).buckets[place];
    bucket.tag = KeyOf(client).tag ^ kRule.fingerprint;
    bucket.arrival = static_cast<int32_t>(static_cast<uint32_t>(static_cast<int64_t>(kNow) + ticks_ahead));
  }
};

// Of xorshift32 (Marsaglia, "Xorshift RNGs"), as in test/unit/client-key.test.ts.
class Random {
 public:
  uint32_t Next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    return state_ ^= state_ << 5;
  }

 private:
  uint32_t state_ = 2463534242;
};

}  // namespace

TEST(KnowsTheSameKeys, "100,000 random clients have the keys that client-key.ts gives them") {
  const uint32_t seeds[4] = {0x01234567, 0x89abcdef, 0xdeadbeef, 0x00c0ffee};
  Random random;
  uint32_t digest = 0x811c9dc5;
  const auto add = [&](uint32_t word) { digest = (digest ^ word) * 0x01000193; };
  for (int i = 0; i < 100'000; i++) {
    PeerAddress client{{0, 0, 0xffff, random.Next()}, 0};
    if (i % 3 != 0) client = {{random.Next(), random.Next(), random.Next(), client.words[3]}, 0};
    // The first words of an IPv4 address, and yet none.
    if (i % 3 == 2) client.words[0] = client.words[1] = 0;
    const ClientKey key = ClientKey::Of(seeds, i % 2 == 0 ? ClientKey::kAnyListener : 7, client);
    add(key.tag);
    add(key.set);
  }
  CHECK_EQ(digest, 0x7437ca84u);
}

TEST(RefusesAboveTheSlack, "a client is refused exactly while its next arrival is further ahead than the slack") {
  Rated rated;
  CHECK(!rated.gate.RefusesAt(kClient, kNow));
  for (const uint32_t place : {0u, 7u}) {
    Rated own;
    own.Own(place, kClient, 90'000);
    CHECK(!own.gate.RefusesAt(kClient, kNow));
    CHECK(own.gate.RefusesAt(kClient, kNow - 1));
    own.Own(place, kClient, 90'001);
    CHECK(own.gate.RefusesAt(kClient, kNow));
    CHECK(!own.gate.RefusesAt(kClient, kNow + 1));
    own.Own(place, kClient, 0);
    CHECK(!own.gate.RefusesAt(kClient, kNow));
  }
}

TEST(TakesNonsenseAsPassed, "what has long passed, or is further ahead than any rule allows, refuses nobody") {
  Rated rated;
  for (const int64_t ahead : {int64_t{-1}, -(int64_t{1} << 29), (int64_t{1} << 30) + 1, (int64_t{1} << 31) - 1}) {
    rated.Own(0, kClient, ahead);
    CHECK(!rated.gate.RefusesAt(kClient, kNow));
  }
  rated.Own(0, kClient, int64_t{1} << 30);
  CHECK(rated.gate.RefusesAt(kClient, kNow));
}

TEST(CrossesTheSeam, "the ring of ticks has no seam where its 32 bits wrap") {
  Rated rated;
  const uint64_t seam = uint64_t{1} << 32;
  rated.Own(0, kClient, static_cast<int64_t>(seam + 50) - static_cast<int64_t>(kNow));
  CHECK(rated.gate.RefusesAt(kClient, seam + 50 - 90'001));
  CHECK(!rated.gate.RefusesAt(kClient, seam + 50 - 90'000));
}

TEST(LooksAtTheClientAlone, "another client, another /64 and another rule's bucket refuse nobody; the same /64 does") {
  Rated rated;
  rated.Own(0, kClient, 1'000'000);
  CHECK(!rated.gate.RefusesAt({{0, 0, 0xffff, 0x7f000003}, 0}, kNow));
  rated.gate.Configure({1, 90'000, 0x7654321});
  CHECK(!rated.gate.RefusesAt(kClient, kNow));

  rated.gate.Configure(kRule);
  const PeerAddress v6{{0x20010db8, 1, 2, 3}, 0};
  rated.Own(1, v6, 1'000'000);
  CHECK(rated.gate.RefusesAt({{0x20010db8, 1, 99, 98}, 0}, kNow));
  CHECK(!rated.gate.RefusesAt({{0x20010db8, 2, 2, 3}, 0}, kNow));
}

TEST(IsOffWithoutARule, "without a rule, or in a region without rates, nobody is refused") {
  Rated rated;
  rated.Own(0, kClient, 1'000'000);
  CHECK(rated.gate.RefusesAt(kClient, kNow));
  rated.gate.Configure({});
  CHECK(!rated.gate.RefusesAt(kClient, kNow));
  CHECK(!rated.gate.Refuses(kClient));

  ControlRegion bare(1);
  RateGate without(bare.view());
  without.Configure(kRule);
  CHECK(!without.RefusesAt(kClient, kNow));
}

TEST(CountsLongTicks, "a tick longer than a microsecond is rounded down, as RateRule.ticksAt does") {
  const RateRule rule{1.5, 0, 0};
  CHECK_EQ(rule.TicksAt(3), 2);
  CHECK_EQ(rule.TicksAt(4), 2);
  // ((2^32 + 7) × 1.5) µs
  CHECK_EQ(rule.TicksAt(6'442'450'954), 6);
  CHECK_EQ(rule.TicksAt(6'442'450'955), 7);
}

}  // namespace edgeproxy::test
