// One worker's writes to the control region's counters.
//
// Only this worker writes its block and its rows (`active` of the block excepted, which the acceptor adds to), so a
// relaxed load and store is an increment; readers see each counter rise, in no particular order among counters.
#pragma once

#include "shared_layout.h"

namespace edgeproxy {

class SharedCounters {
 public:
  SharedCounters(RegionView region, uint32_t worker) : region_(region), worker_(worker) {}

  WorkerBlock& block() const { return region_.worker(worker_); }
  bool IsSlot(int32_t slot) const { return slot >= 0 && static_cast<uint32_t>(slot) < region_.backends(); }

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
  void CountEnded(EndReason reason) const { Add(block().ended[static_cast<size_t>(reason)], 1); }

 private:
  static void Add(std::atomic<uint64_t>& counter, uint64_t amount) {
    counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }

  RegionView region_;
  uint32_t worker_;
};

}  // namespace edgeproxy
