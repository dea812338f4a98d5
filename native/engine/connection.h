// A client, the backend chosen for it, and the bytes between them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "direction.h"
#include "peer_address.h"
#include "shared_layout.h"
#include "timer_wheel.h"

namespace edgeproxy {

enum class Phase : uint8_t {
  kFree,
  kRouting,     // waits for route(), for the first time or after a failed connect; holds no backend
  kConnecting,  // holds a place at `slot`
  kRelaying,    // holds a place at `slot`
};

struct Connection {
  TimerNode timer;  // first: OfTimer() relies on it
  Endpoint client;
  Endpoint backend;
  Direction upload;    // client to backend
  Direction download;  // backend to client
  uint64_t started_ms = 0;
  uint64_t last_activity_ms = 0;  // while connecting: when the connect began
  PeerAddress peer{};
  uint32_t index = 0;
  uint32_t generation = 0;
  uint32_t listener = 0;
  uint32_t slot = 0;
  std::array<uint16_t, kMaxTries> tried_slots{};
  uint8_t tries = 0;
  Phase phase = Phase::kFree;
  bool is_ack_delayed = false;  // on the backend's socket, until the first bytes have gone there
  bool is_client_watched = false;
  bool is_queued = false;  // for another turn

  static Connection& OfTimer(TimerNode& node) { return reinterpret_cast<Connection&>(node); }
};
static_assert(offsetof(Connection, timer) == 0);

// Connections by index, in chunks that never move; a free one keeps its place for the next client.
class ConnectionSlab {
 public:
  Connection& Take();
  void Give(Connection& connection);
  Connection& operator[](uint32_t index) { return chunks_[index / kChunk][index % kChunk]; }
  uint32_t size() const { return static_cast<uint32_t>(chunks_.size()) * kChunk; }
  uint32_t in_use() const { return in_use_; }

 private:
  static constexpr uint32_t kChunk = 256;

  std::vector<std::unique_ptr<Connection[]>> chunks_;
  std::vector<uint32_t> free_;
  uint32_t in_use_ = 0;
};

}  // namespace edgeproxy
