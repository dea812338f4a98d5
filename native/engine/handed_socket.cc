#include "handed_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>

namespace edgeproxy {

namespace {
bool GetOption(int fd, int name, int& value) {
  socklen_t length = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, name, &value, &length) == 0;
}

void FillAddress(const sockaddr_storage& from, HandedSocket& socket) {
  char text[INET6_ADDRSTRLEN] = "";
  if (from.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    socket.port = ntohs(v4.sin_port);
  } else if (from.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    socket.port = ntohs(v6.sin6_port);
  }
  socket.address = text;
}
}  // namespace

SystemError DescribeSocket(int fd, HandedSocket& socket) {
  int is_listening = 0;
  const bool is_known = GetOption(fd, SO_DOMAIN, socket.family) && GetOption(fd, SO_TYPE, socket.type) &&
                        GetOption(fd, SO_ACCEPTCONN, is_listening);
  if (!is_known) return SystemError::Last("getsockopt");
  socket.is_listening = is_listening != 0;
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == -1) return SystemError::Last("getsockname");
  FillAddress(address, socket);
  return {};
}

}  // namespace edgeproxy
