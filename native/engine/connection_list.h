// Which connections there are, for whoever asks: a page at a time, so that no question holds up the loop.
#pragma once

#include <cstdint>

#include "peer_address.h"
#include "shared_layout.h"

namespace edgeproxy {

// Of whom a page is; all of them where nothing is said.
struct ConnectionFilter {
  static constexpr int64_t kAny = -1;

  // Where they hold a place.
  int64_t slot = kAny;
  int64_t listener = kAny;
  // Clients of this network. ::/0 has all.
  uint32_t network[4] = {};
  uint32_t prefix_bits = 0;

  bool HasClient(const PeerAddress& client) const {
    for (uint32_t i = 0; i < 4; i++) {
      const uint32_t bits = prefix_bits <= i * 32 ? 0 : prefix_bits - i * 32;
      const uint32_t mask = bits == 0 ? 0 : bits >= 32 ? UINT32_MAX : UINT32_MAX << (32 - bits);
      if (((client.words[i] ^ network[i]) & mask) != 0) return false;
    }
    return true;
  }
  // `place`: the slot where it holds one, or kAny where it holds none.
  bool Wants(int64_t place, uint32_t at_listener, const PeerAddress& client) const {
    if (slot != kAny && slot != place) return false;
    return (listener == kAny || listener == at_listener) && HasClient(client);
  }
};

struct ConnectionPage {
  uint32_t count = 0;
  // Where the next page begins; kEnd where there is none.
  uint64_t next = 0;

  static constexpr uint64_t kEnd = UINT64_MAX;
  // TCP's connections stand before this by their indices, UDP's sessions from here on.
  static constexpr uint64_t kUdpFrom = uint64_t{1} << 32;
};

// Where a page is written: kMostListed records, and kRecordNameBytes for each.
struct ConnectionRecords {
  ConnectionRecord* records;
  unsigned char* names;
};

// A connection, for as long as it lives: its index goes to another one, its generation does not.
struct ConnectionId {
  bool is_udp = false;
  uint32_t index = 0;
  uint32_t generation = 0;
};

}  // namespace edgeproxy
