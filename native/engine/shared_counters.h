// One worker's writes to the control region's counters.
//
// Only this worker writes its block and its rows (`active` of the block excepted, which the acceptor adds to), so a
// relaxed load and store is an increment; readers see each counter rise, in no particular order among counters.
#pragma once

#include <span>

#include "connect_time.h"
#include "peer_address.h"
#include "shared_layout.h"

namespace edgeproxy {

class SharedCounters {
 public:
  SharedCounters(RegionView region, uint32_t worker) : region_(region), worker_(worker) {}

  RegionView region() const { return region_; }
  uint32_t worker() const { return worker_; }
  WorkerBlock& block() const { return region_.worker(worker_); }
  // As far as health checks and the breaker know; they are read as hints, so in no order.
  bool TakesClients(uint32_t slot) const {
    const BackendLine& backend = region_.backend(slot);
    return backend.health.load(std::memory_order_relaxed) == 0 &&
           backend.breaker.load(std::memory_order_relaxed) == static_cast<int32_t>(BreakerState::kClosed);
  }
  // Whether this worker turns new clients away, and whether for want of descriptors. Set between two passes by this thread.
  bool IsShedding() const { return block().shedding.load(std::memory_order_relaxed) != 0; }
  bool LacksDescriptors() const { return (block().shedding.load(std::memory_order_relaxed) & kSheddingDescriptors) != 0; }
  // Where the routing table in force sends clients of that slot, port 0 = to nobody. A torn one leads nowhere (see PATH in
  // layout.ts): for Unix sockets only.
  PeerAddress TargetOf(uint32_t slot) const {
    const BackendLine& line = region_.backend(slot);
    PeerAddress target{};
    for (size_t i = 0; i < 4; i++) target.words[i] = line.target_address[i].load(std::memory_order_relaxed);
    target.port = line.target_port.load(std::memory_order_relaxed);
    return target;
  }
  bool IsSlot(int32_t slot) const { return slot >= 0 && static_cast<uint32_t>(slot) < region_.backends(); }

  // A connection that this worker accepts itself, at the listener it came to; lowered by Leave. Sequentially consistent
  // for ConnectionRoom.
  void Enter(uint32_t listener) const {
    block().active.fetch_add(1);
    if (listener < kMaxListeners) block().listener_active[listener].fetch_add(1);
  }
  // The acceptor raises the same words in hand-off mode, so these are read-modify-writes.
  void Leave(uint32_t listener) const {
    if (listener < kMaxListeners) block().listener_active[listener].fetch_sub(1, std::memory_order_relaxed);
    block().active.fetch_sub(1, std::memory_order_release);
  }

  // One connection of a client address less, at the word that route() raised; 0 = it raised none.
  void LeaveClient(int32_t word) const {
    if (region_.IsWord(word)) region_.word(word).fetch_sub(1, std::memory_order_relaxed);
  }

  // Gives back the place that route() reserved. The sequence is odd while `active` and `share` disagree, so that the
  // primary can sum shares consistently after a crash (ARCHITECTURE.md, "Giving back"). Sequentially consistent: the odd
  // value must be seen before either change, the even one after both.
  void ReleasePlace(uint32_t slot) const {
    WorkerBlock& own = block();
    own.pair_sequence.fetch_add(1);
    region_.backend(slot).active.fetch_sub(1);
    region_.row(worker_, slot).share.fetch_sub(1);
    own.pair_sequence.fetch_add(1);
  }

  void CountConnection(uint32_t slot) const { Add(region_.row(worker_, slot).connections, 1); }
  // Another worker's measure may be lost between the two: the next one is as good. The histogram is all workers', so adds
  // are atomic.
  void CountConnectTime(uint32_t slot, uint64_t micros) const {
    auto& average = region_.backend(slot).connect_micros;
    average.store(NextConnectMicros(average.load(std::memory_order_relaxed), micros), std::memory_order_relaxed);
    Histogram& times = region_.connect_times(slot);
    times.counts[BucketOf(micros, kConnectBoundsMicros)].fetch_add(1, std::memory_order_relaxed);
    times.sum.fetch_add(micros, std::memory_order_relaxed);
  }
  void CountBackendError(uint32_t slot, BackendError error) const {
    auto& counter = region_.row(worker_, slot).errors[static_cast<size_t>(error)];
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  void CountToClient(uint32_t slot, uint64_t bytes) const {
    Add(region_.row(worker_, slot).bytes_to_clients, bytes);
    Add(block().bytes_to_clients, bytes);
  }
  void CountFromClient(uint32_t slot, uint64_t bytes) const {
    Add(region_.row(worker_, slot).bytes_from_clients, bytes);
    Add(block().bytes_from_clients, bytes);
  }
  void CountAccepted(uint64_t connections) const { Add(block().accepted, connections); }
  void CountRejected(RejectReason reason, uint64_t clients) const {
    Add(block().rejected[static_cast<size_t>(reason)], clients);
  }
  void CountWarmTaken() const { Add(block().warm_taken, 1); }
  void CountWarmMissed() const { Add(block().warm_missed, 1); }
  void AddWarmConnections(int32_t change) const {
    auto& gauge = block().warm_connections;
    gauge.store(gauge.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
  }
  void CountDatagramsToClients(uint64_t datagrams) const { Add(block().datagrams_to_clients, datagrams); }
  void CountDatagramsFromClients(uint64_t datagrams) const { Add(block().datagrams_from_clients, datagrams); }
  void CountDatagramsDropped(uint64_t datagrams) const { Add(block().datagrams_dropped, datagrams); }
  void SetUdpSessions(uint32_t sessions) const {
    block().udp_sessions.store(static_cast<int32_t>(sessions), std::memory_order_relaxed);
  }
  // Of a connection that was relayed: for how long, and how many bytes both ways.
  void CountEnded(EndReason reason, uint64_t duration_ms, uint64_t bytes) const {
    Add(block().ended[static_cast<size_t>(reason)], 1);
    Observe(block().durations, kDurationBoundsMs, duration_ms, 1);
    Observe(block().bytes, kBytesBounds, bytes, 1);
  }
  // Of a batch, which is measured as a whole: reading the clock for each could take longer than its decision.
  void CountDecisions(uint64_t decisions, uint64_t nanos) const {
    Observe(block().decisions, kDecisionBoundsNanos, nanos, decisions);
  }

 private:
  static size_t BucketOf(uint64_t value, std::span<const uint64_t> bounds) {
    size_t bucket = 0;
    while (bucket < bounds.size() && value > bounds[bucket]) bucket++;
    return bucket;
  }
  // `times` observations that make `total` together, all alike.
  static void Observe(Histogram& own, std::span<const uint64_t> bounds, uint64_t total, uint64_t times) {
    Add(own.counts[BucketOf(total / times, bounds)], times);
    Add(own.sum, total);
  }
  static void Add(std::atomic<uint64_t>& counter, uint64_t amount) {
    counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }

  RegionView region_;
  uint32_t worker_;
};

}  // namespace edgeproxy
