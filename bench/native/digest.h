// FNV-1a: how the backend says which bytes have reached it.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define DIGEST_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t digest_more(uint64_t digest, const uint8_t *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) digest = (digest ^ bytes[i]) * UINT64_C(0x100000001b3);
  return digest;
}
