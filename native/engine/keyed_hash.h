// SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012) over whole 64-bit words: who does not know the key
// cannot find two addresses that meet in a table.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace edgeproxy {

class KeyedHash {
 public:
  // The region's seeds.
  explicit KeyedHash(const uint32_t* seeds)
      : key0_(uint64_t{seeds[0]} << 32 | seeds[1]), key1_(uint64_t{seeds[2]} << 32 | seeds[3]) {}

  template <size_t kWords>
  uint64_t Of(const uint64_t (&words)[kWords]) const {
    uint64_t v[4] = {key0_ ^ 0x736f6d6570736575, key1_ ^ 0x646f72616e646f6d, key0_ ^ 0x6c7967656e657261,
                     key1_ ^ 0x7465646279746573};
    for (const uint64_t word : words) Absorb(v, word);
    Absorb(v, uint64_t{kWords * sizeof(uint64_t)} << 56);
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++) Round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
  }

 private:
  static void Absorb(uint64_t (&v)[4], uint64_t word) {
    v[3] ^= word;
    Round(v);
    v[0] ^= word;
  }
  static void Round(uint64_t (&v)[4]) {
    v[0] += v[1];
    v[1] = std::rotl(v[1], 13) ^ v[0];
    v[0] = std::rotl(v[0], 32);
    v[2] += v[3];
    v[3] = std::rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = std::rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = std::rotl(v[1], 17) ^ v[2];
    v[2] = std::rotl(v[2], 32);
  }

  uint64_t key0_;
  uint64_t key1_;
};

}  // namespace edgeproxy
