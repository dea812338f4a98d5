// The transitions of a breaker, in memory.
#include "breaker.h"

#include <thread>
#include <vector>

#include "check.h"

namespace edgeproxy::test {

namespace {
constexpr uint32_t kSlots = 6;

// A control region with nothing in it but its header, and a breaker over it.
class Rig {
 public:
  explicit Rig(int32_t failures = 3, int32_t successes = 2, int32_t max_ejected = 2)
      : memory_(kBytes / kLineBytes), region_(HeaderOf(memory_.data()), kBytes), breaker(region_) {
    control().failure_threshold = failures;
    control().success_threshold = successes;
    control().max_ejected = max_ejected;
  }

  HealthControl& control() { return region_.health(); }
  BackendLine& backend(uint32_t slot) { return region_.backend(slot); }
  BreakerState state(uint32_t slot) { return static_cast<BreakerState>(backend(slot).breaker.load()); }
  void Fail(uint32_t slot, int times) {
    for (int i = 0; i < times; i++) breaker.Failed(slot, false);
  }
  // As the primary does it.
  void HalfOpen(uint32_t slot) {
    backend(slot).successes = backend(slot).trials = 0;
    backend(slot).breaker = static_cast<int32_t>(BreakerState::kHalfOpen);
  }
  void Expect(uint32_t slot, BreakerState expected, int32_t ejected) {
    CHECK(state(slot) == expected);
    CHECK_EQ(control().ejected, ejected);
  }

 private:
  struct alignas(kLineBytes) Line {
    char bytes[kLineBytes] = {};
  };
  static constexpr size_t kBytes =
      RegionView::kWorkersAt + sizeof(WorkerBlock) + kSlots * (sizeof(BackendLine) + sizeof(WorkerRow) + sizeof(Histogram));
  static void* HeaderOf(void* memory) {
    auto& header = *static_cast<RegionHeader*>(memory);
    header.workers = 1;
    header.backends = kSlots;
    return memory;
  }

  std::vector<Line> memory_;
  RegionView region_;

 public:
  Breaker breaker;
};
}  // namespace

TEST(OpensAtTheThreshold, "as many failures in a row as the threshold open a breaker, of that backend alone") {
  Rig rig;
  rig.Fail(1, 2);
  rig.Expect(1, BreakerState::kClosed, 0);
  CHECK_EQ(rig.control().generation, 0);
  rig.Fail(1, 1);
  rig.Expect(1, BreakerState::kOpen, 1);
  CHECK_EQ(rig.control().generation, 1);
  CHECK(rig.state(0) == BreakerState::kClosed);
}

TEST(StartsOverAfterASuccess, "a success between failures starts the count over") {
  Rig rig;
  for (int i = 0; i < 10; i++) {
    rig.Fail(1, 2);
    rig.breaker.Succeeded(1, false);
  }
  rig.Expect(1, BreakerState::kClosed, 0);
}

TEST(DoesNothingSwitchedOff, "without a threshold nothing is counted and nothing changes") {
  Rig rig(0);
  rig.Fail(1, 100);
  CHECK_EQ(rig.backend(1).failures, 0);
  rig.HalfOpen(2);
  rig.breaker.Succeeded(2, true);
  rig.breaker.Failed(2, true);
  rig.Expect(2, BreakerState::kHalfOpen, 0);
}

TEST(EjectsNoMoreThanItMay, "a backend over the limit stays, is not counted for ever, and follows when there is room") {
  Rig rig(3, 1, 1);
  rig.Fail(0, 3);
  rig.Fail(1, 1000);
  rig.Expect(1, BreakerState::kClosed, 1);
  CHECK_EQ(rig.backend(1).failures, 3);
  rig.HalfOpen(0);
  rig.breaker.Succeeded(0, true);
  rig.Expect(0, BreakerState::kClosed, 0);
  rig.Fail(1, 1);
  rig.Expect(1, BreakerState::kOpen, 1);
}

TEST(ClosesAfterEnoughTrials, "trials alone close a half-open breaker, each success is told, and failures count from 0") {
  Rig rig;
  rig.Fail(1, 3);
  rig.breaker.Succeeded(1, true);  // of before
  rig.Expect(1, BreakerState::kOpen, 1);
  rig.HalfOpen(1);
  rig.breaker.Succeeded(1, false);
  rig.breaker.Succeeded(1, false);
  rig.Expect(1, BreakerState::kHalfOpen, 1);
  const uint32_t generation = rig.control().generation;
  rig.breaker.Succeeded(1, true);
  rig.Expect(1, BreakerState::kHalfOpen, 1);
  CHECK_EQ(rig.control().generation, generation + 1);
  rig.breaker.Succeeded(1, true);
  rig.Expect(1, BreakerState::kClosed, 0);
  rig.Fail(1, 2);
  rig.Expect(1, BreakerState::kClosed, 0);
}

TEST(ComesBackWithItsFirstPart, "a breaker that closes has put slow start under way, a success that does not suffice has not") {
  Rig rig;
  rig.control().initial_ramp = 50;
  rig.Fail(1, 3);
  rig.HalfOpen(1);
  rig.breaker.Succeeded(1, true);
  CHECK_EQ(rig.backend(1).ramp, 0);
  rig.breaker.Succeeded(1, true);
  rig.Expect(1, BreakerState::kClosed, 0);
  CHECK_EQ(rig.backend(1).ramp, 50);
}

TEST(OpensAgainAfterOneFailedTrial, "one failed trial opens a half-open breaker, other connections do not, and it is ejected once") {
  Rig rig;
  rig.Fail(1, 3);
  rig.HalfOpen(1);
  rig.Fail(1, 10);
  rig.Expect(1, BreakerState::kHalfOpen, 1);
  rig.breaker.Failed(1, true);
  rig.Expect(1, BreakerState::kOpen, 1);
  rig.breaker.Failed(1, true);
  rig.Expect(1, BreakerState::kOpen, 1);
}

TEST(CountsOverThreads, "however many fail at the same time, no more are ejected than may be, and each is counted once") {
  for (int round = 0; round < 50; round++) {
    Rig rig(5, 2, 2);
    std::vector<std::thread> workers;
    for (int i = 0; i < 4; i++) {
      workers.emplace_back([&rig] {
        for (int failure = 0; failure < 50; failure++) {
          for (uint32_t slot = 0; slot < kSlots; slot++) rig.breaker.Failed(slot, false);
          CHECK_OP(rig.control().ejected, <=, 2);
        }
      });
    }
    for (std::thread& worker : workers) worker.join();
    int open = 0;
    for (uint32_t slot = 0; slot < kSlots; slot++) open += rig.state(slot) == BreakerState::kOpen;
    CHECK_EQ(open, 2);
    CHECK_EQ(rig.control().ejected, 2);
  }
}

}  // namespace edgeproxy::test
