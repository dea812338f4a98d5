#include "listener.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstring>

#include "peer_address.h"
#include "reset_on_close.h"

namespace edgeproxy {

namespace {

bool SetOption(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

// TCP_NODELAY, SO_OOBINLINE (see Endpoint::has_urgent) and SO_LINGER are inherited by what is accepted: no system call per
// connection.
bool SetInherited(int fd) {
  return SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1) && SetOption(fd, SOL_SOCKET, SO_OOBINLINE, 1) && ResetOnClose(fd) == 0;
}

bool Configure(int fd, int family, bool is_reuse_port) {
  // The system's bindv6only may be 1.
  return SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1) && (!is_reuse_port || SetOption(fd, SOL_SOCKET, SO_REUSEPORT, 1)) &&
         (family != AF_INET6 || SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0)) &&
         SetInherited(fd);
}

}  // namespace

SystemError ParseAddress(const BindOptions& options, sockaddr_storage& address, socklen_t& length) {
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

SystemError Bind(const BindOptions& options, UniqueFd& fd, uint16_t& port) {
  sockaddr_storage address{};
  socklen_t length = 0;
  const SystemError parsed = ParseAddress(options, address, length);
  if (parsed.is_set()) return parsed;

  UniqueFd listener(::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listener.is_open()) return SystemError::Last("socket");
  if (!Configure(listener.get(), address.ss_family, options.is_reuse_port)) return SystemError::Last("setsockopt");

  auto* name = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener.get(), name, length) == -1) return SystemError::Last("bind");
  if (::getsockname(listener.get(), name, &length) == -1) return SystemError::Last("getsockname");
  port = static_cast<uint16_t>(PeerAddress::FromSockaddr(address).port);
  fd = std::move(listener);
  return {};
}

SystemError Listen(int fd, int backlog) {
  return ::listen(fd, backlog) == -1 ? SystemError::Last("listen") : SystemError{};
}

SystemError RefuseNewClients(int listener) {
  // A filter of a TCP socket sees the segment from the TCP header on, whose byte 13 holds the flags; 0 drops it, anything
  // else is how much of it to keep. What is accepted inherits it, where no segment has SYN.
  constexpr uint32_t kFlagsAt = 13;
  constexpr uint32_t kSyn = 0x02;
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kFlagsAt),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, kSyn, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
  };
  const sock_fprog filter = {4, program};
  if (::setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0) return {};
  return SystemError::Last("setsockopt");
}

SystemError AdoptListener(int fd, int backlog, bool is_reuse_port) {
  int is_listening = 0;
  socklen_t length = sizeof is_listening;
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &length) == -1) return SystemError::Last("getsockopt");
  if (is_listening == 0) return {EINVAL, "listen"};
  const SystemError error = SetCloseOnExec(fd);
  if (error.is_set()) return error;
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags == -1 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1) return SystemError::Last("fcntl");
  // Listening already, so this sets the backlog and touches nobody who waits.
  const SystemError listening = Listen(fd, backlog);
  if (listening.is_set()) return listening;
  // Whoever opened it may have been of another version.
  if (!SetInherited(fd)) return SystemError::Last("setsockopt");
  if (is_reuse_port && !SetOption(fd, SOL_SOCKET, SO_REUSEPORT, 1)) return SystemError::Last("setsockopt");
  // What RefuseNewClients may have set; ENOENT where there is nothing.
  SetOption(fd, SOL_SOCKET, SO_DETACH_FILTER, 0);
  return {};
}

SystemError SetCloseOnExec(int fd) {
  return ::fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ? SystemError::Last("fcntl") : SystemError{};
}

}  // namespace edgeproxy
