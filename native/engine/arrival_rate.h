// Whether events have been arriving quickly: counted in fixed windows, the current one and the one before it.
#pragma once

#include <cstdint>

namespace edgeproxy {

class ArrivalRate {
 public:
  // Busy from `threshold` events in one window of `window_ns`.
  ArrivalRate(uint64_t window_ns, uint32_t threshold) : window_ns_(window_ns), threshold_(threshold) {}

  void Note(uint64_t now_ns, uint32_t events) {
    Roll(now_ns);
    current_ += events;
  }
  bool IsBusy(uint64_t now_ns) {
    Roll(now_ns);
    return current_ >= threshold_ || previous_ >= threshold_;
  }

 private:
  void Roll(uint64_t now_ns) {
    const uint64_t window = now_ns / window_ns_;
    if (window == window_) return;
    previous_ = window == window_ + 1 ? current_ : 0;
    current_ = 0;
    window_ = window;
  }

  const uint64_t window_ns_;
  const uint32_t threshold_;
  uint64_t window_ = 0;
  uint32_t current_ = 0;
  uint32_t previous_ = 0;
};

}  // namespace edgeproxy
