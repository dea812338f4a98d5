// A client, the backend chosen for it, and the bytes between them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "direction.h"
#include "peer_address.h"
#include "shared_layout.h"
#include "slab.h"
#include "timer_wheel.h"

namespace edgeproxy {

enum class Phase : uint8_t {
  kFree,
  kRouting,     // waits for route(), for the first time or after a failed connect; holds no backend
  kPeeking,     // route() has let it in, and its ClientHello is still to come; holds no backend
  kConnecting,  // holds a place at `slot`
  kRelaying,    // holds a place at `slot`
};

struct Connection {
  TimerNode timer;  // first: OfTimer() relies on it
  Endpoint client;
  Endpoint backend;
  Direction upload;    // client to backend
  Direction download;  // backend to client
  uint64_t accepted_ms = 0;
  uint64_t started_ms = 0;
  uint64_t last_activity_ms = 0;  // while connecting or peeking: when that began
  uint64_t dialled_us = 0;
  uint64_t bytes_from_client = 0;
  uint64_t bytes_to_client = 0;
  PeerAddress peer{};
  uint32_t index = 0;
  uint32_t generation = 0;
  uint32_t listener = 0;
  uint32_t slot = 0;
  int32_t client_word = 0;  // RouteResponse::client of the first answer
  std::array<uint16_t, kMaxTries> tried_slots{};
  uint16_t rule = 0;  // RESPONSE_FLAG's label of the rule that has chosen its backend
  uint8_t tries = 0;
  uint8_t moves = 0;  // those of the tries that no failure but an order ended (CloseBackend)
  Phase phase = Phase::kFree;
  bool is_ack_delayed = false;  // on the backend's socket, until the first bytes have gone there
  bool is_client_watched = false;
  bool is_queued = false;  // for another turn
  bool is_trial = false;  // of a half-open breaker
  bool has_answered = false;  // the backend, with a first byte
  // The backend's socket was opened ahead and neither side has sent anything over it: should it turn out to be dead,
  // another one can take its place.
  bool is_replaceable = false;
  // Flipped with each replacement, and part of the token of the backend's socket: an event for the one before may still be
  // to come.
  bool is_redialled = false;
  bool is_counted = false;  // as a connection of the backend at `slot`
  // Of a client whose ClientHello did not come at once (relay_hello.cc).
  bool is_admitted = false;     // route() was asked before the whole of it was there
  bool is_hello_over = false;   // none will come any more: time is up, or the client has ended
  bool has_low_water = false;   // SO_RCVLOWAT of the client's socket is not what it is for everybody else
  bool has_first_bytes = false; // some of the client's bytes are known to wait in its socket, or were taken from it
  uint8_t peeks = 0;
  std::string server_name;  // that its ClientHello asks for, of listeners that look for one

  bool holds_place() const { return phase == Phase::kConnecting || phase == Phase::kRelaying; }
  bool IsHalfClosed() const { return upload.is_finished() || download.is_finished(); }
  // Waits until the backend's queue is asked again whether it has room.
  bool IsInQueue() const { return phase == Phase::kConnecting && !backend.fd.is_open(); }

  static Connection& OfTimer(TimerNode& node) { return reinterpret_cast<Connection&>(node); }
};
static_assert(offsetof(Connection, timer) == 0);

using ConnectionSlab = Slab<Connection>;

}  // namespace edgeproxy
