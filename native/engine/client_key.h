// Who a shared table knows, and where: a mirror of src/domain/shared/client-key.ts, which says why the hash is this one. A
// test of each compares the keys of the same 100,000 addresses.
#pragma once

#include <bit>
#include <cstdint>

#include "peer_address.h"

namespace edgeproxy {

struct ClientKey {
  // In place of a listener: the client wherever it connects.
  static constexpr uint32_t kAnyListener = 0xffffffff;

  uint32_t tag;
  // 32 bits, of which the table's mask takes what it needs.
  uint32_t set;

  static ClientKey Of(const uint32_t (&seeds)[4], uint32_t listener, const PeerAddress& client) {
    constexpr int kRounds = 8;
    const bool is_v4 = client.IsV4();
    uint32_t v0 = seeds[0] ^ listener;
    uint32_t v1 = seeds[1] ^ client.words[is_v4 ? 3 : 0];
    uint32_t v2 = seeds[2] ^ (is_v4 ? 0 : client.words[1]);
    uint32_t v3 = seeds[3] ^ (is_v4 ? 4 : 6);
    for (int round = 0; round < kRounds; round++) {
      v0 += v1;
      v1 = std::rotl(v1, 5) ^ v0;
      v0 = std::rotl(v0, 16);
      v2 += v3;
      v3 = std::rotl(v3, 8) ^ v2;
      v0 += v3;
      v3 = std::rotl(v3, 13) ^ v0;
      v2 += v1;
      v1 = std::rotl(v1, 7) ^ v2;
      v2 = std::rotl(v2, 16);
    }
    return {v0 ^ seeds[0], v1 ^ seeds[1]};
  }
};

}  // namespace edgeproxy
