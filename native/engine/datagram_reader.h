// Datagrams as they come from a socket, up to 64 with one system call. Where the kernel has put several of one sender together
// (UDP_GRO), they are one piece of `segment_bytes` each, of which the last may be shorter.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>

#include "udp_session.h"

namespace edgeproxy {

struct Datagrams {
  char* data;
  uint32_t bytes;
  // As many bytes as there are for a single one, also where that is none.
  uint32_t segment_bytes;

  uint32_t count() const { return bytes <= segment_bytes ? 1 : (bytes + segment_bytes - 1) / segment_bytes; }
};

class DatagramReader {
 public:
  static constexpr uint32_t kMost = 64;

  // `has_senders`: of a socket that is not connected, where SenderOf tells something.
  explicit DatagramReader(bool has_senders);
  DatagramReader(const DatagramReader&) = delete;
  DatagramReader& operator=(const DatagramReader&) = delete;

  // Reads up to `most` into the places from `first` on, which keep them until they are read into again. Returns how many, or
  // -1 with errno; fewer than asked for means that there were no more.
  int Read(int socket, uint32_t first, uint32_t most);
  // One of a socket that is connected and without UDP_GRO, which recv(2) takes for less. Returns 1, or -1 with errno.
  int ReadPlain(int socket, uint32_t place);

  Datagrams At(uint32_t place) const;
  // More came than any datagram can have; what is here is the beginning.
  bool IsCutOff(uint32_t place) const { return (messages_[place].msg_hdr.msg_flags & MSG_TRUNC) != 0; }
  const UdpName& SenderOf(uint32_t place) const { return names_[place]; }
  // The address that it was sent to, where the socket tells; else `local` stays what it is.
  void ReadLocal(uint32_t place, uint32_t (&local)[4]) const;

 private:
  // What no datagram is larger than, and a step that keeps the places' first lines from sharing one set of the caches.
  static constexpr size_t kBytes = 65'536;
  static constexpr size_t kStep = kBytes + 192;
  static constexpr size_t kControlBytes = 96;

  mmsghdr messages_[kMost] = {};
  iovec pieces_[kMost];
  UdpName names_[kMost];
  alignas(cmsghdr) char controls_[kMost][kControlBytes];
  // Touched page by page: small datagrams take one page each.
  std::unique_ptr<char[]> payload_;
};

}  // namespace edgeproxy
