// When to let connections gather before they are accepted, so that one wake-up of a worker serves several.
//
// Two conditions: connections have been arriving quickly (counted in fixed windows of time, the current one and the one
// before it), and gathering pays. A single client that connects again and again arrives quickly too, but waiting only
// makes it slower. Where a wait brought no message with two sockets, the next round goes without; the next time two do, then
// four: at ten connections per millisecond every seventh wait is in vain by chance, and must not cost what it does where all are.
#pragma once

#include <algorithm>
#include <cstdint>

namespace edgeproxy {

class CoalescePolicy {
 public:
  static constexpr uint64_t kWindowNs = 1'000'000;
  static constexpr uint32_t kBusyConnections = 4;
  static constexpr uint32_t kMostRoundsWithout = 32;

  // Whether connections have been arriving quickly.
  bool IsBusy(uint64_t now_ns) {
    Roll(now_ns);
    return current_ >= kBusyConnections || previous_ >= kBusyConnections;
  }
  // Asked once per round, before accepting.
  bool ShouldGather(uint64_t now_ns) {
    if (!IsBusy(now_ns)) return false;
    if (rounds_without_ == 0) return true;
    rounds_without_--;
    return false;
  }
  void NoteAccepted(uint64_t now_ns, uint32_t connections) {
    Roll(now_ns);
    current_ += connections;
  }
  // What a round that gathered came to.
  void NoteGathered(uint32_t sockets, uint32_t messages) {
    penalty_ = sockets > messages ? 0 : std::clamp(2 * penalty_, 1u, kMostRoundsWithout);
    rounds_without_ = penalty_;
  }

 private:
  void Roll(uint64_t now_ns) {
    const uint64_t window = now_ns / kWindowNs;
    if (window == window_) return;
    previous_ = window == window_ + 1 ? current_ : 0;
    current_ = 0;
    window_ = window;
  }

  uint64_t window_ = 0;
  uint32_t current_ = 0;
  uint32_t previous_ = 0;
  uint32_t rounds_without_ = 0;
  // In rounds without a wait: what the last one has cost.
  uint32_t penalty_ = 0;
};

}  // namespace edgeproxy
