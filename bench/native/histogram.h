// Log-linear latency histogram: 128 linear steps per power of two, so a value is kept within 0.8 %.
// Fixed size, no allocation while measuring.
#pragma once
#include <stdint.h>

enum { HISTOGRAM_SUB_BITS = 7, HISTOGRAM_BUCKETS = (64 - HISTOGRAM_SUB_BITS) << HISTOGRAM_SUB_BITS };

struct histogram {
  uint64_t counts[HISTOGRAM_BUCKETS];
  uint64_t total;
  uint64_t sum;
  uint64_t max;
};

void histogram_record(struct histogram *histogram, uint64_t value);
// The upper edge of the bucket that holds the given quantile (0..1); 0 when nothing was recorded.
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);
