#include "notify_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "unique_fd.h"

namespace edgeproxy {

namespace {
// The length of the address, 0 where the name does not fit. A path ends with a zero byte, an abstract name begins with one.
socklen_t Fill(std::string_view name, sockaddr_un& address) {
  if (name.size() < 2 || name.size() >= sizeof address.sun_path || (name[0] != '/' && name[0] != '@')) return 0;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  const bool is_abstract = name[0] == '@';
  if (is_abstract) address.sun_path[0] = 0;
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (is_abstract ? 0 : 1));
}
}  // namespace

SystemError SendNotification(std::string_view name, std::string_view text) {
  sockaddr_un address{};
  const socklen_t length = Fill(name, address);
  if (length == 0) return {EINVAL, "sendto"};
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return SystemError::Last("socket");
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  ssize_t sent;
  do {
    sent = ::sendto(socket.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT, to, length);
  } while (sent == -1 && errno == EINTR);
  return sent == -1 ? SystemError::Last("sendto") : SystemError{};
}

}  // namespace edgeproxy
