// The byte stream that every transfer carries: byte i is a fixed pseudo-random function of i modulo a prime, so that a
// lost, repeated or reordered piece shows wherever it is sampled.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PATTERN_PERIOD = 65521, PATTERN_CHUNK = 256 * 1024 };

void pattern_init(void);
// At least PATTERN_CHUNK bytes of the stream from the given offset on.
const uint8_t *pattern_at(uint64_t offset);
// Whether the bytes received at that offset are right: all of a short piece, both ends and the middle of a long one.
bool pattern_matches(uint64_t offset, const uint8_t *bytes, size_t length);
