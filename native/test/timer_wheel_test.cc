// The wheel against a model: a multimap of deadlines, under random schedules, cancels, jumps in time and callbacks that
// change the wheel themselves.
#include "timer_wheel.h"

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "check.h"

namespace edgeproxy::test {

namespace {

constexpr uint64_t kTick = TimerWheel::kTickMs;
constexpr uint64_t kTurnMs = kTick * TimerWheel::kSlots;

struct Timer {
  TimerNode node;  // first: found again from the node
  uint64_t deadline_ms = 0;
  // The latest time at which an Advance must have fired it.
  uint64_t fires_by_ms = 0;
};

// A user of the wheel as the relay is one: an early call is put back, a due one counts.
class Model {
 public:
  Model(uint64_t seed, uint64_t start_ms, size_t timers)
      : random_(seed), now_ms_(start_ms), advanced_ms_(start_ms), timers_(timers), wheel_(start_ms) {}

  void Step() {
    switch (Below(4)) {
      case 0:
        now_ms_ += Below(8) == 0 ? Below(3 * kTurnMs) : Below(200);
        break;
      case 1:
        Advance();
        break;
      case 2:
        Schedule(Any());
        break;
      case 3:
        if (Below(3) == 0) Cancel(Any());
        break;
    }
    CheckNextDelay();
  }

  void Finish() {
    now_ms_ += 10 * kTurnMs;
    while (!by_deadline_.empty()) {
      now_ms_ += kTick;
      Advance();
    }
    CHECK_EQ(wheel_.NextDelayMs(now_ms_), -1);
    for (const Timer& timer : timers_) CHECK(!timer.node.is_scheduled());
    CHECK_OP(fired_, >, 0);
  }

 private:
  uint64_t Below(uint64_t limit) { return random_() % limit; }
  Timer& Any() { return timers_[Below(timers_.size())]; }

  void Schedule(Timer& timer) {
    Forget(timer);
    // Mostly within a turn, at times far beyond it or in the past.
    const uint64_t reach = Below(4) == 0 ? 4 * kTurnMs : 500;
    timer.deadline_ms = now_ms_ + Below(reach) - std::min<uint64_t>(now_ms_, Below(10) == 0 ? 300 : 0);
    timer.fires_by_ms = (std::max(timer.deadline_ms, advanced_ms_) / kTick + 1) * kTick;
    wheel_.Schedule(timer.node, timer.deadline_ms);
    CHECK(timer.node.is_scheduled());
    by_deadline_.emplace(timer.fires_by_ms, &timer);
  }

  void Cancel(Timer& timer) {
    Forget(timer);
    wheel_.Cancel(timer.node);
    CHECK(!timer.node.is_scheduled());
  }

  void Forget(Timer& timer) {
    const auto [first, last] = by_deadline_.equal_range(timer.fires_by_ms);
    for (auto entry = first; entry != last; ++entry) {
      if (entry->second != &timer) continue;
      by_deadline_.erase(entry);
      return;
    }
  }

  void Advance() {
    // From within a callback nothing can be due before the slot after this one.
    advanced_ms_ = now_ms_;
    wheel_.Advance(now_ms_, [this](TimerNode& node) { OnDue(reinterpret_cast<Timer&>(node)); });
    if (!by_deadline_.empty()) CHECK_OP(by_deadline_.begin()->first, >, now_ms_);
  }

  void OnDue(Timer& timer) {
    CHECK(!timer.node.is_scheduled());
    if (timer.deadline_ms > now_ms_) {
      wheel_.Schedule(timer.node, timer.deadline_ms);
      return;
    }
    fired_++;
    Forget(timer);
    if (Below(4) == 0) Cancel(Any());
    if (Below(4) == 0) Schedule(Any());
  }

  void CheckNextDelay() {
    const int64_t delay = wheel_.NextDelayMs(now_ms_);
    if (by_deadline_.empty()) {
      CHECK_EQ(delay, -1);
      return;
    }
    CHECK_OP(delay, >=, 0);
    const uint64_t next = std::max(by_deadline_.begin()->first, now_ms_);
    CHECK_OP(now_ms_ + static_cast<uint64_t>(delay), <=, next);
  }

  std::mt19937_64 random_;
  uint64_t now_ms_;
  uint64_t advanced_ms_;
  uint64_t fired_ = 0;
  std::vector<Timer> timers_;
  std::multimap<uint64_t, Timer*> by_deadline_;
  TimerWheel wheel_;
};

}  // namespace

TEST(FollowsTheModel, "fires each timer once, never before its deadline and within a tick after it, whatever happens") {
  for (const uint64_t start_ms : {uint64_t{0}, uint64_t{1}, kTurnMs - 1, kTurnMs * 1000 + 7}) {
    for (uint64_t seed = 1; seed <= 10; seed++) {
      Model model(seed, start_ms, seed % 2 == 0 ? 5 : 300);
      for (int i = 0; i < 5000; i++) model.Step();
      model.Finish();
    }
  }
}

TEST(SaysWhenNext, "the next delay is that of the nearest timer, to a tick, and nothing for an empty wheel") {
  TimerWheel wheel(1000);
  TimerNode near, far;
  CHECK_EQ(wheel.NextDelayMs(1000), -1);
  wheel.Schedule(far, 1000 + 10'000);
  CHECK_OP(wheel.NextDelayMs(1000), >=, 10'000);
  CHECK_OP(wheel.NextDelayMs(1000), <=, 10'000 + kTick);
  wheel.Schedule(near, 1000 + 100);
  CHECK_OP(wheel.NextDelayMs(1000), >=, 100);
  CHECK_OP(wheel.NextDelayMs(1000), <=, 100 + kTick);
  CHECK_EQ(wheel.NextDelayMs(5000), 0);
  wheel.Cancel(near);
  CHECK_OP(wheel.NextDelayMs(1000), >=, 10'000);
  wheel.Cancel(far);
  wheel.Cancel(far);
  CHECK_EQ(wheel.NextDelayMs(1000), -1);
}

TEST(LetsItsCallbackCancel, "a callback may cancel another timer that is due in the same slot, and that one does not fire") {
  TimerWheel wheel(0);
  Timer timers[3];
  int fired = 0;
  for (Timer& timer : timers) wheel.Schedule(timer.node, 50);
  wheel.Advance(100, [&](TimerNode& node) {
    fired++;
    for (Timer& timer : timers) {
      if (&timer.node != &node) wheel.Cancel(timer.node);
    }
  });
  CHECK_EQ(fired, 1);
  CHECK_EQ(wheel.NextDelayMs(100), -1);
}

TEST(LetsItsCallbackPutBack, "a callback may put its timer back, for the next tick or a whole turn, and is not called twice") {
  for (const uint64_t again_ms : {uint64_t{1}, kTick, kTurnMs, 5 * kTurnMs}) {
    TimerWheel wheel(0);
    Timer timer;
    int fired = 0;
    wheel.Schedule(timer.node, 50);
    wheel.Advance(100, [&](TimerNode& node) {
      fired++;
      wheel.Schedule(node, 100 + again_ms);
    });
    CHECK_EQ(fired, 1);
    CHECK(timer.node.is_scheduled());
    wheel.Cancel(timer.node);
  }
}

}  // namespace edgeproxy::test
