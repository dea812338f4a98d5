// The most connections that all workers may have together, over all listeners and at each of them.
//
// Each worker counts its own (WorkerBlock), so a look costs one load per worker; it is only taken where a limit is set.
// Whoever raises a count before it looks never exceeds a limit with others who do so, and two at once may both find it full. The
// acceptor, alone in accepting, looks first. Only a worker that drains goes beyond: whoever waits there could only be reset.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "listener_options.h"
#include "shared_layout.h"

namespace edgeproxy {

struct ConnectionLimits {
  // 0 = no limit.
  int32_t total = 0;
  // By listener id.
  std::array<int32_t, kMaxListeners> at{};

  static ConnectionLimits Of(uint32_t total, const ListenerOptions& listeners) {
    // What users write has more bits than a count.
    const auto clamp = [](uint32_t limit) { return static_cast<int32_t>(std::min<uint32_t>(limit, INT32_MAX)); };
    ConnectionLimits limits{.total = clamp(total)};
    for (uint32_t id = 0; id < kMaxListeners; id++) limits.at[id] = clamp(listeners.Get(id).max_connections);
    return limits;
  }
};

class ConnectionRoom {
 public:
  ConnectionRoom(RegionView region, ConnectionLimits limits) : region_(region), limits_(limits) {}

  void Configure(ConnectionLimits limits) { limits_ = limits; }
  bool IsLimited(uint32_t listener) const { return limits_.total != 0 || Most(listener) != 0; }

  // How many more may come; below 0 where there are too many, as after a limit was lowered.
  int64_t InAll() const {
    if (limits_.total == 0) return kUnlimited;
    return limits_.total - Sum([](const WorkerBlock& worker) { return &worker.active; });
  }
  int64_t At(uint32_t listener) const {
    const int32_t most = Most(listener);
    if (most == 0) return kUnlimited;
    return most - Sum([listener](const WorkerBlock& worker) { return &worker.listener_active[listener]; });
  }

 private:
  static constexpr int64_t kUnlimited = INT32_MAX;

  int32_t Most(uint32_t listener) const { return listener < kMaxListeners ? limits_.at[listener] : 0; }

  // Sequentially consistent, as Enter is: of two workers that raise their counts and then look, one sees the other.
  template <typename Count>
  int64_t Sum(Count count) const {
    int64_t sum = 0;
    for (uint32_t i = 0; i < region_.workers(); i++) sum += count(region_.worker(i))->load();
    return sum;
  }

  RegionView region_;
  ConnectionLimits limits_;
};

}  // namespace edgeproxy
