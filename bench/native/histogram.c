#include "histogram.h"

static unsigned bucket_of(uint64_t value) {
  if (value < (1u << HISTOGRAM_SUB_BITS)) return (unsigned)value;
  unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
  unsigned bucket = ((shift + 1) << HISTOGRAM_SUB_BITS) + (unsigned)((value >> shift) & ((1u << HISTOGRAM_SUB_BITS) - 1));
  return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static uint64_t upper_edge(unsigned bucket) {
  if (bucket < (1u << HISTOGRAM_SUB_BITS)) return bucket;
  unsigned shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
  uint64_t mantissa = (1u << HISTOGRAM_SUB_BITS) + (bucket & ((1u << HISTOGRAM_SUB_BITS) - 1));
  return ((mantissa + 1) << shift) - 1;
}

void histogram_record(struct histogram *histogram, uint64_t value) {
  histogram->counts[bucket_of(value)]++;
  histogram->total++;
  histogram->sum += value;
  if (value > histogram->max) histogram->max = value;
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile) {
  if (histogram->total == 0) return 0;
  uint64_t rank = (uint64_t)(quantile * (double)histogram->total);
  if (rank >= histogram->total) rank = histogram->total - 1;
  uint64_t seen = 0;
  for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
    seen += histogram->counts[bucket];
    if (seen > rank) {
      uint64_t edge = upper_edge(bucket);
      return edge < histogram->max ? edge : histogram->max;
    }
  }
  return histogram->max;
}
