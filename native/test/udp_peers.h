// A RelayRig with a UDP listener, its clients and its backends, on loopback.
#pragma once

#include <netinet/udp.h>
#include <sys/socket.h>

#include <string>

#include "relay_rig.h"
#include "udp_socket.h"

namespace edgeproxy::test {

inline UniqueFd BindUdpSocket(uint16_t& port, const char* address = "127.0.0.1") {
  UniqueFd fd;
  CHECK(!BindUdp({address, 0, false}, fd, port).is_set());
  return fd;
}

inline sockaddr_in Loopback(uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return to;
}

// Who sends, or has sent, on a socket that is not connected.
struct Received {
  std::string bytes;
  uint16_t port = 0;
};

class UdpSocket {
 public:
  // As other programs have them: each datagram by itself.
  UdpSocket() : fd_(BindUdpSocket(port_)) {
    const int off = 0;
    CHECK_EQ(::setsockopt(fd_.get(), SOL_UDP, UDP_GRO, &off, sizeof off), 0);
  }

  uint16_t port() const { return port_; }
  int fd() const { return fd_.get(); }
  void Close() { fd_.Reset(); }
  void Send(uint16_t to, const std::string& bytes) const {
    const sockaddr_in address = Loopback(to);
    const auto sent = ::sendto(fd_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    CHECK_EQ(sent, static_cast<ssize_t>(bytes.size()));
  }
  bool HasMore() const { return IsReadable(fd_.get(), 0); }
  Received Take() const {
    CHECK(IsReadable(fd_.get(), kWaitMs));
    std::string bytes(65'536, ' ');
    sockaddr_in from{};
    socklen_t length = sizeof from;
    const ssize_t count = ::recvfrom(fd_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
    CHECK_OP(count, >=, 0);
    bytes.resize(static_cast<size_t>(count));
    return {bytes, ntohs(from.sin_port)};
  }

 private:
  uint16_t port_ = 0;
  UniqueFd fd_;
};

class UdpRig : public RelayRig {
 public:
  explicit UdpRig(RelayOptions options = {}) : RelayRig(options) {
    const UniqueFd fd = BindUdpSocket(port);
    Message message;
    message.kind = MessageKind::kListener;
    message.argument = kListenerId;
    message.count = 1;
    message.sockets[0].fd.Reset(::dup(fd.get()));
    CHECK_EQ(SendMessage(primary_end.get(), message), 0);
    Settle();
  }

  void CloseListener() {
    Message message;
    message.kind = MessageKind::kCloseListener;
    message.argument = kListenerId;
    CHECK_EQ(SendMessage(primary_end.get(), message), 0);
    Settle();
  }
  Received TakeAt(const UdpSocket& socket) {
    Until([&] { return socket.HasMore(); });
    return socket.Take();
  }

  // Of the listener.
  uint16_t port = 0;
};

}  // namespace edgeproxy::test
