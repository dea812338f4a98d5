#include "rate_gate.h"

#include <time.h>

#include <algorithm>
#include <iterator>

namespace edgeproxy {

namespace {

// As in rate-table.ts: what is further ahead was written by another rule and counts as passed.
constexpr int32_t kFutureTicks = 1 << 30;

uint64_t NowMicros() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1'000;
}

}  // namespace

RateGate::RateGate(RegionView region) : region_(region), sets_(region.rate_sets()) {
  std::copy_n(region.seeds(), std::size(seeds_), seeds_);
}

bool RateGate::Refuses(const PeerAddress& client) const { return is_on() && RefusesAt(client, NowMicros()); }

bool RateGate::RefusesAt(const PeerAddress& client, uint64_t now_micros) const {
  if (!is_on()) return false;
  const ClientKey key = ClientKey::Of(seeds_, ClientKey::kAnyListener, client);
  const uint32_t own = key.tag ^ rule_.fingerprint;
  const uint32_t tag = own == 0 ? 1 : own;
  for (const RateBucket& bucket : region_.rate_set(key.set & (sets_ - 1)).buckets) {
    if (bucket.tag.load(std::memory_order_relaxed) != tag) continue;
    // Acquire, so that the tag is read again after it: between the two readings the time is this client's.
    const int32_t arrival = bucket.arrival.load(std::memory_order_acquire);
    if (bucket.tag.load(std::memory_order_relaxed) != tag) return false;
    const auto ahead = static_cast<int32_t>(static_cast<uint32_t>(arrival) - rule_.TicksAt(now_micros));
    return ahead > rule_.slack_ticks && ahead <= kFutureTicks;
  }
  return false;
}

}  // namespace edgeproxy
