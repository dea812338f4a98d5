// A worker's part of the backends' circuit breakers: it counts failures in a row over all workers, opens a breaker that has
// had too many, and lets the outcome of trial connections close a half-open one or open it again. What takes time is the
// primary's: src/domain/shared/backend-states.ts, which draws the states.
//
// Each change is one compare-and-exchange, so a worker that dies leaves a whole state; only `ejected` can be left too high,
// which the primary finds.
#pragma once

#include "shared_layout.h"

namespace edgeproxy {

class Breaker {
 public:
  explicit Breaker(RegionView region) : region_(region) {}

  // The backend has sent a first byte or ended in order. In the usual case two loads of lines that are in the cache.
  void Succeeded(uint32_t slot, bool is_trial) const {
    // Relaxed, here and in Failed: a setting that is a moment old is as good.
    if (region_.health().failure_threshold.load(std::memory_order_relaxed) == 0) return;
    if (is_trial) return TrialSucceeded(slot);
    // Relaxed, and no exchange: of a success and a failure at the same time either may have been the last.
    std::atomic<int32_t>& failures = region_.backend(slot).failures;
    if (failures.load(std::memory_order_relaxed) != 0) failures.store(0, std::memory_order_relaxed);
  }

  // The backend could not be connected to, or has reset a connection before its first byte.
  void Failed(uint32_t slot, bool is_trial) const;

 private:
  void TrialSucceeded(uint32_t slot) const;
  void Open(BackendLine& backend) const;
  bool TakeEjection() const;

  RegionView region_;
};

}  // namespace edgeproxy
