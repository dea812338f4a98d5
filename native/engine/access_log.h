// What the access log will tell of each connection and UDP session of one worker, kept beside them: who has no access log pays
// for a comparison, and their connections are no larger.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "access_ring.h"
#include "peer_address.h"
#include "shared_layout.h"

namespace edgeproxy {

struct AccessTrace {
  uint64_t began_us = 0;  // 0 = the access log was off when it began, or nothing is here
  uint64_t routed_us = 0;
  uint64_t connected_us = 0;
  uint64_t datagrams_from_client = 0;
  uint64_t datagrams_to_client = 0;
  uint32_t slot = kNoAccessSlot;   // of the backend that was tried last
  uint16_t rule = 0;               // its number, see Pool
  uint8_t dials = 0;
  uint8_t error = kNoAccessError;  // a BackendError of the last try that failed
  bool has_client_ended_first = false;
};

// Who a record is about, and what is known of it without a trace.
struct AccessSubject {
  const PeerAddress& client;
  uint32_t listener;
  bool is_udp;
  uint64_t bytes_from_client = 0;
  uint64_t bytes_to_client = 0;
  std::string_view server_name{};
};

// By the index of the connections or of the sessions.
class AccessTraces {
 public:
  // Null where that one is not traced.
  AccessTrace* Find(uint32_t index) {
    if (index >= size_) return nullptr;
    AccessTrace& trace = chunks_[index / kChunk][index % kChunk];
    return trace.began_us == 0 ? nullptr : &trace;
  }
  void Begin(uint32_t index, uint64_t now_us);

 private:
  static constexpr uint32_t kChunk = 256;

  std::vector<std::unique_ptr<AccessTrace[]>> chunks_;
  uint32_t size_ = 0;
};

class AccessLog {
 public:
  // From here on records go there; `ring` outlives this.
  void Use(const AccessRing& ring) { ring_ = ring; }
  bool IsOn() const { return ring_.IsEnabled(); }

  // route() has answered for the first time, or again; `flags` are those of its response.
  static void Route(AccessTrace& trace, int32_t flags, uint64_t now_us);
  static void Dial(AccessTrace& trace, uint32_t slot);

  // It is over, in one way or the other. The trace is free then.
  void WriteEnd(AccessTrace& trace, const AccessSubject& subject, EndReason reason, uint64_t now_us);
  void WriteRejection(AccessTrace& trace, const AccessSubject& subject, RejectReason reason, uint64_t now_us);
  // Of a client that was never let in.
  void WriteRefusal(const AccessSubject& subject, RejectReason reason, uint64_t now_us);

  AccessTraces connections;
  AccessTraces sessions;

 private:
  void Write(AccessTrace& trace, const AccessSubject& subject, uint32_t flags, uint32_t reason, uint64_t now_us);

  AccessRing ring_;
};

}  // namespace edgeproxy
