#include "pattern.h"

#include <string.h>

enum { CHECKED_WHOLE = 256, SAMPLE = 32 };

static uint8_t stream[PATTERN_PERIOD + PATTERN_CHUNK];

void pattern_init(void) {
  uint64_t state = 0x9e3779b97f4a7c15u;
  for (size_t i = 0; i < PATTERN_PERIOD; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    stream[i] = (uint8_t)(state >> 32);
  }
  for (size_t i = PATTERN_PERIOD; i < sizeof stream; i++) stream[i] = stream[i - PATTERN_PERIOD];
}

const uint8_t *pattern_at(uint64_t offset) { return stream + offset % PATTERN_PERIOD; }

static bool same(uint64_t offset, const uint8_t *bytes, size_t length) {
  return memcmp(pattern_at(offset), bytes, length) == 0;
}

bool pattern_matches(uint64_t offset, const uint8_t *bytes, size_t length) {
  if (length <= CHECKED_WHOLE) return same(offset, bytes, length);
  size_t middle = length / 2;
  return same(offset, bytes, SAMPLE) && same(offset + middle, bytes + middle, SAMPLE) &&
         same(offset + length - SAMPLE, bytes + length - SAMPLE, SAMPLE);
}
