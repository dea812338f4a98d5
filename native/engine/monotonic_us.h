#pragma once

#include <time.h>

#include <cstdint>

namespace edgeproxy {

// CLOCK_MONOTONIC in microseconds.
inline uint64_t MonotonicUs() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
}

// In nanoseconds, of what takes no longer than a few of them.
inline uint64_t MonotonicNs() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace edgeproxy
