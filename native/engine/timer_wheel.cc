#include "timer_wheel.h"

#include <bit>

namespace edgeproxy {

TimerWheel::TimerWheel(uint64_t now_ms) : tick_(now_ms / kTickMs) {
  for (TimerNode& head : heads_) head.next = head.previous = &head;
}

void TimerWheel::Schedule(TimerNode& node, uint64_t deadline_ms) {
  if (node.is_scheduled()) Cancel(node);
  // Rounded up, so that the slot passes after the deadline; at least the next slot, at most a whole turn ahead.
  uint64_t tick = deadline_ms / kTickMs + 1;
  if (tick <= tick_) tick = tick_ + 1;
  if (tick > tick_ + kSlots) tick = tick_ + kSlots;
  node.slot = static_cast<uint32_t>(tick % kSlots);
  Link(heads_[node.slot], node);
  used_[node.slot / 64] |= uint64_t{1} << (node.slot % 64);
}

void TimerWheel::Cancel(TimerNode& node) {
  if (!node.is_scheduled()) return;
  Unlink(node);
  const TimerNode& head = heads_[node.slot];
  if (head.next == &head) used_[node.slot / 64] &= ~(uint64_t{1} << (node.slot % 64));
}

int64_t TimerWheel::NextDelayMs(uint64_t now_ms) const {
  for (uint32_t ahead = 1; ahead <= kSlots;) {
    const uint32_t slot = static_cast<uint32_t>((tick_ + ahead) % kSlots);
    const uint64_t word = used_[slot / 64] >> (slot % 64);
    if (word == 0) {
      ahead += 64 - slot % 64;
      continue;
    }
    ahead += static_cast<uint32_t>(std::countr_zero(word));
    if (ahead > kSlots) break;
    const uint64_t due_ms = (tick_ + ahead) * kTickMs;
    return due_ms > now_ms ? static_cast<int64_t>(due_ms - now_ms) : 0;
  }
  return -1;
}

void TimerWheel::Link(TimerNode& head, TimerNode& node) {
  node.previous = head.previous;
  node.next = &head;
  head.previous->next = &node;
  head.previous = &node;
}

void TimerWheel::Unlink(TimerNode& node) {
  node.previous->next = node.next;
  node.next->previous = node.previous;
  node.next = node.previous = nullptr;
}

}  // namespace edgeproxy
