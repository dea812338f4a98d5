// How long connecting to a backend takes, as an average that follows the latest: BACKEND.CONNECT_MICROS, which
// src/domain/shared/connect-times.ts keeps by the same rule.
//
// What is measured is the truth or more: a lost SYN or a busy loop makes it longer, nothing makes it shorter. So the average
// falls by half of the difference and rises by an eighth, and by no more than an eighth of itself, whatever the outlier.
#pragma once

#include <algorithm>
#include <cstdint>

namespace edgeproxy {

// 0 = not measured, and never a result.
inline uint32_t NextConnectMicros(uint32_t average, uint64_t sample_us) {
  const auto sample = static_cast<uint32_t>(std::clamp<uint64_t>(sample_us, 1, INT32_MAX));
  if (average == 0) return sample;
  // Rounded up, so that it gets there.
  if (sample <= average) return average - (average - sample + 1) / 2;
  return average + (std::min(sample - average, average) + 7) / 8;
}

}  // namespace edgeproxy
