// A client of a UDP listener, and the socket of its own that leads to the backend chosen for it.
#pragma once

#include <netinet/in.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "peer_address.h"
#include "shared_layout.h"
#include "slab.h"
#include "timer_wheel.h"
#include "unique_fd.h"

namespace edgeproxy {

enum class UdpPhase : uint8_t {
  kFree,
  kRouting,   // waits for route(), for the first time or after a failed connect; holds no backend
  kRelaying,  // holds a place at `slot`
  kFailed,    // ended by its backend: nothing is left of it but what its client's next datagram must know
};

// What tells two sessions apart.
struct UdpKey {
  PeerAddress client{};
  // Where the client sends to; 0 where the listener has one address only.
  uint32_t local[4] = {};
  uint32_t listener = 0;
  // The interface of a link-local client.
  uint32_t scope = 0;

  bool operator==(const UdpKey& other) const {
    for (int i = 0; i < 4; i++) {
      if (client.words[i] != other.client.words[i] || local[i] != other.local[i]) return false;
    }
    return client.port == other.client.port && listener == other.listener && scope == other.scope;
  }
};

// As the kernel takes it.
union UdpName {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

struct UdpSession {
  TimerNode timer;  // first: OfTimer() relies on it
  UniqueFd fd;
  uint64_t last_activity_ms = 0;
  uint64_t started_ms = 0;
  uint64_t bytes_from_client = 0;
  uint64_t bytes_to_client = 0;
  UdpSession* next_in_chain = nullptr;
  uint64_t hash = 0;
  UdpKey key{};
  UdpName name{};
  uint32_t index = 0;
  uint32_t generation = 0;
  uint32_t position = 0;  // of the socket that its datagrams came to
  uint32_t slot = 0;
  uint32_t client = 0;        // its address among UdpClients
  uint32_t read_in_pass = 0;  // the last one
  int32_t client_word = 0;  // RouteResponse::client of the first answer
  // Among the datagrams of one receive pass: those of this session, by index; `first` is kNone where there are none.
  uint8_t first = 0xff;
  uint8_t last = 0xff;
  std::array<uint16_t, kMaxTries> tried_slots{};
  uint16_t rule = 0;  // as of a connection
  uint8_t single_reads = 0;  // in a row that brought one datagram
  uint8_t tries = 0;
  uint8_t avoided = 0;  // those of the tries that were the last session's
  UdpPhase phase = UdpPhase::kFree;
  bool is_trial = false;     // of a half-open breaker
  bool has_answered = false; // the backend, with a first datagram
  bool is_busy = false;      // its socket was told to expect much
  bool has_gso_to_backend = true;
  bool has_gso_to_client = true;

  static constexpr uint8_t kNone = 0xff;

  static UdpSession& OfTimer(TimerNode& node) { return reinterpret_cast<UdpSession&>(node); }
};
static_assert(offsetof(UdpSession, timer) == 0);

}  // namespace edgeproxy
