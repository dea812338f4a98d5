#include "backend_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "reset_on_close.h"
#include "unix_path.h"

namespace edgeproxy {

UniqueFd MakeBackendSocket(const PeerAddress& to) {
  const int family = to.IsUnix() ? AF_UNIX : to.IsV4() ? AF_INET : AF_INET6;
  UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  // Of a Unix socket there is no reset to ask for, and no packet to delay.
  if (!socket.is_open() || to.IsUnix()) return socket;
  SetTcpOption(socket.get(), TCP_NODELAY, 1);
  ResetOnClose(socket.get());
  return socket;
}

int BeginConnect(int socket, const PeerAddress& to, RegionView region) {
  if (to.IsUnix()) return ConnectToPath(socket, to, region);
  sockaddr_storage address;
  const socklen_t length = to.ToSockaddr(address);
  const int result = ::connect(socket, reinterpret_cast<sockaddr*>(&address), length);
  return result == -1 && errno != EINPROGRESS ? errno : 0;
}

void SetTcpOption(int socket, int option, int value) { ::setsockopt(socket, IPPROTO_TCP, option, &value, sizeof value); }

int PendingError(int socket) {
  int error = 0;
  socklen_t length = sizeof error;
  return ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) == -1 ? errno : error;
}

bool IsUnixSocket(int socket) {
  int domain = AF_UNSPEC;
  socklen_t length = sizeof domain;
  return ::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX;
}

BackendError ErrorKind(int error) {
  switch (error) {
    case ECONNREFUSED:
      return BackendError::kRefused;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
      return BackendError::kUnreachable;
    case ETIMEDOUT:
      return BackendError::kTimeout;
    case ECONNRESET:
      return BackendError::kReset;
    default:
      return BackendError::kOther;
  }
}

}  // namespace edgeproxy
