#include "breaker.h"

namespace edgeproxy {

namespace {
// Sequentially consistent, as is all below: what is counted before a change of state is seen with it.
bool Exchange(BackendLine& backend, BreakerState from, BreakerState to) {
  auto expected = static_cast<int32_t>(from);
  return backend.breaker.compare_exchange_strong(expected, static_cast<int32_t>(to));
}

bool Is(const BackendLine& backend, BreakerState state) { return backend.breaker.load() == static_cast<int32_t>(state); }
}  // namespace

void Breaker::Failed(uint32_t slot, bool is_trial) const {
  const int32_t threshold = region_.health().failure_threshold.load(std::memory_order_relaxed);
  if (threshold == 0) return;
  BackendLine& backend = region_.backend(slot);
  if (Is(backend, BreakerState::kClosed)) {
    // Not counted beyond the threshold, for ever, where no more backends may be ejected.
    if (backend.failures.load() >= threshold || backend.failures.fetch_add(1) + 1 >= threshold) Open(backend);
  } else if (is_trial && Exchange(backend, BreakerState::kHalfOpen, BreakerState::kOpen)) {
    // After the change, which whoever sees the generation then finds; the same in Open and TrialSucceeded.
    region_.health().generation.fetch_add(1);
  }
}

void Breaker::Open(BackendLine& backend) const {
  if (!TakeEjection()) return;
  if (Exchange(backend, BreakerState::kClosed, BreakerState::kOpen)) {
    region_.health().generation.fetch_add(1);
  } else {
    region_.health().ejected.fetch_sub(1);
  }
}

// Before the breaker opens: two workers at the same time do not eject more than they may.
bool Breaker::TakeEjection() const {
  std::atomic<int32_t>& ejected = region_.health().ejected;
  int32_t seen = ejected.load();
  do {
    if (seen >= region_.health().max_ejected.load()) return false;
  } while (!ejected.compare_exchange_weak(seen, seen + 1));
  return true;
}

// A success of a trial that began before its breaker was opened again counts for the trials of now: it is as true.
void Breaker::TrialSucceeded(uint32_t slot) const {
  BackendLine& backend = region_.backend(slot);
  if (!Is(backend, BreakerState::kHalfOpen)) return;
  const int32_t successes = backend.successes.fetch_add(1) + 1;
  if (successes >= region_.health().success_threshold.load()) {
    // Before the state: what fails afterwards is counted from 0.
    backend.failures.store(0);
    // Also before it: nobody sees the backend back with all of its weight. The primary takes the ramp from here.
    backend.ramp.store(region_.health().initial_ramp.load());
    if (Exchange(backend, BreakerState::kHalfOpen, BreakerState::kClosed)) region_.health().ejected.fetch_sub(1);
  }
  // Also of a success that does not suffice: another trial may start in its place.
  region_.health().generation.fetch_add(1);
}

}  // namespace edgeproxy
