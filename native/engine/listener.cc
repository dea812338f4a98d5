#include "listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstring>

#include "peer_address.h"

namespace edgeproxy {

namespace {

SystemError Parse(const ListenOptions& options, sockaddr_storage& address, socklen_t& length) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_PASSIVE;
  addrinfo* found = nullptr;
  if (::getaddrinfo(options.address, nullptr, &hints, &found) != 0) return {EINVAL, "bind"};
  std::memcpy(&address, found->ai_addr, found->ai_addrlen);
  length = found->ai_addrlen;
  ::freeaddrinfo(found);

  if (address.ss_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6&>(address).sin6_port = htons(options.port);
  } else {
    reinterpret_cast<sockaddr_in&>(address).sin_port = htons(options.port);
  }
  return {};
}

bool SetOption(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

bool Configure(int fd, int family, bool is_reuse_port) {
  // TCP_NODELAY and SO_OOBINLINE (see Endpoint::has_urgent) are inherited by what is accepted: no system call per
  // connection. The system's bindv6only may be 1.
  return SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1) && (!is_reuse_port || SetOption(fd, SOL_SOCKET, SO_REUSEPORT, 1)) &&
         (family != AF_INET6 || SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0)) &&
         SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1) && SetOption(fd, SOL_SOCKET, SO_OOBINLINE, 1);
}

}  // namespace

SystemError Listen(const ListenOptions& options, UniqueFd& fd, uint16_t& port) {
  sockaddr_storage address{};
  socklen_t length = 0;
  const SystemError parsed = Parse(options, address, length);
  if (parsed.is_set()) return parsed;

  UniqueFd listener(::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listener.is_open()) return SystemError::Last("socket");
  if (!Configure(listener.get(), address.ss_family, options.is_reuse_port)) return SystemError::Last("setsockopt");

  auto* name = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener.get(), name, length) == -1) return SystemError::Last("bind");
  if (::listen(listener.get(), options.backlog) == -1) return SystemError::Last("listen");
  if (::getsockname(listener.get(), name, &length) == -1) return SystemError::Last("getsockname");
  port = static_cast<uint16_t>(PeerAddress::FromSockaddr(address).port);
  fd = std::move(listener);
  return {};
}

}  // namespace edgeproxy
