// Datagrams on their way out, gathered so that one system call sends many. Those of one receiver that follow each other and are
// of one size go through the kernel as one (UDP_SEGMENT), where it can: that is where most of the time goes.
//
// Nothing is copied but addresses: the bytes stay where they are until Flush.
#pragma once

#include <sys/socket.h>

#include <cstdint>

#include "datagram_reader.h"
#include "udp_session.h"

namespace edgeproxy {

// To whom, and from where.
struct Receiver {
  // Who it is, for the result; two receivers that follow each other have different ones.
  uint32_t tag = 0;
  // Null for a connected socket.
  const UdpName* name = nullptr;
  // The address to send from, of a listener with more than one; null = the socket's.
  const uint32_t* local = nullptr;
  bool may_segment = true;
};

struct SendResult {
  uint32_t tag = 0;
  // Of those that were sent.
  uint64_t bytes = 0;
  uint32_t sent = 0;
  uint32_t dropped = 0;
  // Why the last one that was dropped was.
  int error = 0;
  // The kernel did not take them as one, which it will not do the next time either.
  bool was_split = false;
};

class DatagramSender {
 public:
  // `has_gso`: the kernel knows UDP_SEGMENT.
  explicit DatagramSender(bool has_gso) : has_gso_(has_gso) {}
  DatagramSender(const DatagramSender&) = delete;
  DatagramSender& operator=(const DatagramSender&) = delete;

  bool is_empty() const { return count_ == 0; }
  // Calls on_full(), which flushes, where there is no room.
  template <typename OnFull>
  void AddAll(const Receiver& to, Datagrams datagrams, OnFull on_full);

  // Sends everything, in order, and calls on_result(SendResult) for each message. A socket that takes no more loses the rest.
  template <typename OnResult>
  void Flush(int socket, OnResult on_result);

 private:
  static constexpr uint32_t kMessages = 64;
  static constexpr uint32_t kPieces = 128;
  // The kernel's limits for one piece (UDP_MAX_SEGMENTS of all versions that know UDP_SEGMENT, and what IP can carry).
  static constexpr uint32_t kMaxSegments = 64;
  static constexpr uint32_t kMaxBytes = 65'000;
  static constexpr size_t kControlBytes = CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t));

  struct Outgoing {
    uint32_t tag;
    uint32_t bytes;
    uint32_t segment_bytes;
    uint32_t datagrams;
    bool may_grow;
  };

  bool is_full() const { return count_ == kMessages || used_pieces_ == kPieces; }
  // Returns how many bytes of them were taken.
  uint32_t Add(const Receiver& to, const Datagrams& datagrams);
  bool Grow(const Receiver& to, const Datagrams& datagrams);
  void Begin(const Receiver& to, const Datagrams& datagrams);
  void PutControl(uint32_t message, const Receiver& to, uint32_t segment_bytes);
  // From message `from` on; fills `result` for the first one where it returns 0, else the result is that of so many sent.
  uint32_t SendFrom(int socket, uint32_t from, SendResult& failed);
  SendResult SendOneByOne(int socket, uint32_t message);

  const bool has_gso_;
  uint32_t count_ = 0;
  uint32_t used_pieces_ = 0;
  Outgoing outgoing_[kMessages];
  mmsghdr messages_[kMessages] = {};
  iovec pieces_[kPieces];
  UdpName names_[kMessages];
  alignas(cmsghdr) char controls_[kMessages][kControlBytes];
};

template <typename OnFull>
void DatagramSender::AddAll(const Receiver& to, Datagrams datagrams, OnFull on_full) {
  for (;;) {
    if (is_full()) on_full();
    const uint32_t taken = Add(to, datagrams);
    if (taken == datagrams.bytes) return;
    datagrams.data += taken;
    datagrams.bytes -= taken;
  }
}

template <typename OnResult>
void DatagramSender::Flush(int socket, OnResult on_result) {
  for (uint32_t i = 0; i < count_;) {
    SendResult failed;
    const uint32_t sent = SendFrom(socket, i, failed);
    for (uint32_t end = i + sent; i < end; i++) {
      on_result(SendResult{outgoing_[i].tag, outgoing_[i].bytes, outgoing_[i].datagrams, 0, 0, false});
    }
    if (sent == 0) {
      on_result(failed);
      i++;
    }
  }
  count_ = used_pieces_ = 0;
}

}  // namespace edgeproxy
