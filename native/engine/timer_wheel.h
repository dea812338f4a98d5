// A hashed timer wheel: insert, cancel and expire in constant time, however many connections there are.
//
// A connection has one node. Packets never touch the wheel: they store the time of the last activity, and an expired
// node is asked for its true deadline, then put back or acted on. Deadlines beyond one turn of the wheel wait in the
// last slot of the turn and are put back in the same way.
#pragma once

#include <array>
#include <cstdint>

namespace edgeproxy {

struct TimerNode {
  TimerNode* previous = nullptr;
  TimerNode* next = nullptr;
  uint32_t slot = 0;

  bool is_scheduled() const { return next != nullptr; }
};

class TimerWheel {
 public:
  static constexpr uint64_t kTickMs = 16;
  static constexpr uint32_t kSlots = 1024;

  explicit TimerWheel(uint64_t now_ms);
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Never fires before `deadline_ms`, at most one tick after it.
  void Schedule(TimerNode& node, uint64_t deadline_ms);
  void Cancel(TimerNode& node);

  // Calls on_due(node) for each node whose slot has passed; the node is out of the wheel by then and may be put back,
  // and on_due may cancel any other node.
  template <typename OnDue>
  void Advance(uint64_t now_ms, OnDue on_due);

  // Milliseconds from now to the next slot in use, -1 where there is none.
  int64_t NextDelayMs(uint64_t now_ms) const;

 private:
  void Link(TimerNode& head, TimerNode& node);
  void Unlink(TimerNode& node);

  uint64_t tick_;  // all slots up to this tick have been emptied
  std::array<TimerNode, kSlots> heads_;
  std::array<uint64_t, kSlots / 64> used_{};  // one bit per slot that is not empty
};

template <typename OnDue>
void TimerWheel::Advance(uint64_t now_ms, OnDue on_due) {
  const uint64_t target = now_ms / kTickMs;
  // After a pause longer than one turn each slot still needs to be emptied only once.
  if (target - tick_ > kSlots && target > tick_) tick_ = target - kSlots;
  while (tick_ < target) {
    const uint32_t slot = static_cast<uint32_t>(++tick_ % kSlots);
    if ((used_[slot / 64] >> (slot % 64) & 1) == 0) continue;
    // The slot is moved aside first: a node put back for a whole turn lands in this very slot.
    TimerNode due;
    TimerNode& head = heads_[slot];
    due.next = head.next;
    due.previous = head.previous;
    due.next->previous = &due;
    due.previous->next = &due;
    head.next = head.previous = &head;
    used_[slot / 64] &= ~(uint64_t{1} << (slot % 64));
    while (due.next != &due) {
      TimerNode& node = *due.next;
      Unlink(node);
      on_due(node);
    }
  }
}

}  // namespace edgeproxy
