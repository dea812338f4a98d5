#include "udp_socket.h"

#include <fcntl.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <cerrno>

namespace edgeproxy {

namespace {
// For the clients of a worker together; the system's rmem_max and wmem_max may allow less.
constexpr int kListenerBufferBytes = 4 << 20;
constexpr int kSessionBufferBytes = 1 << 20;

bool SetOption(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

bool IsWildcard(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) return reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr == INADDR_ANY;
  return IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
}

// What all listeners have, also those that another version has opened. Without buffers and offloads they work as well.
bool SetUp(int fd, const sockaddr_storage& address) {
  SetOption(fd, SOL_SOCKET, SO_RCVBUF, kListenerBufferBytes);
  SetOption(fd, SOL_SOCKET, SO_SNDBUF, kListenerBufferBytes);
  SetOption(fd, SOL_UDP, UDP_GRO, 1);
  // Only where a datagram's own address is not known beforehand, for it costs a little of each. An IPv6 socket tells that of
  // IPv4 datagrams in the same way, as ::ffff:a.b.c.d.
  if (!IsWildcard(address)) return true;
  if (address.ss_family == AF_INET) return SetOption(fd, IPPROTO_IP, IP_PKTINFO, 1);
  return SetOption(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}
}  // namespace

UdpOffloads ProbeUdpOffloads() {
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return {SetOption(fd.get(), SOL_UDP, UDP_SEGMENT, 1200), SetOption(fd.get(), SOL_UDP, UDP_GRO, 1)};
}

SystemError BindUdp(const BindOptions& options, UniqueFd& fd, uint16_t& port) {
  sockaddr_storage address{};
  socklen_t length = 0;
  const SystemError parsed = ParseAddress(options, address, length);
  if (parsed.is_set()) return parsed;
  UniqueFd socket(::socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return SystemError::Last("socket");
  const bool is_set_up = (!options.is_reuse_port || SetOption(socket.get(), SOL_SOCKET, SO_REUSEPORT, 1)) &&
                         (address.ss_family != AF_INET6 || SetOption(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0)) &&
                         SetUp(socket.get(), address);
  if (!is_set_up) return SystemError::Last("setsockopt");
  auto* name = reinterpret_cast<sockaddr*>(&address);
  if (::bind(socket.get(), name, length) == -1) return SystemError::Last("bind");
  if (::getsockname(socket.get(), name, &length) == -1) return SystemError::Last("getsockname");
  port = static_cast<uint16_t>(PeerAddress::FromSockaddr(address).port);
  fd = std::move(socket);
  return {};
}

SystemError AdoptUdp(int fd) {
  sockaddr_storage address{};
  if (!IsDatagramSocket(fd) || !LocalAddress(fd, address)) return {EINVAL, "bind"};
  const SystemError error = SetCloseOnExec(fd);
  if (error.is_set()) return error;
  return SetUp(fd, address) ? SystemError{} : SystemError::Last("setsockopt");
}

bool IsDatagramSocket(int fd) {
  int type = 0;
  socklen_t length = sizeof type;
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_DGRAM;
}

bool LocalAddress(int fd, sockaddr_storage& address) {
  socklen_t length = sizeof address;
  return ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0;
}

bool IsBackendGone(int error) {
  switch (error) {
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENETUNREACH:
    case ENOPROTOOPT:
      return true;
    default:
      return false;
  }
}

UniqueFd ConnectUdp(const PeerAddress& to) {
  UniqueFd socket(::socket(to.IsV4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return socket;
  // Before the first reply: a burst of them comes at once.
  SetOption(socket.get(), SOL_SOCKET, SO_RCVBUF, kSessionBufferBytes);
  sockaddr_storage address;
  const socklen_t length = to.ToSockaddr(address);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), length) == 0) return socket;
  const int error = errno;
  socket.Reset();
  errno = error;
  return socket;
}

void ExpectMuch(int socket, bool has_gro) {
  if (has_gro) SetOption(socket, SOL_UDP, UDP_GRO, 1);
}

}  // namespace edgeproxy
