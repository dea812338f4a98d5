// Sockets of sessions, as the kernel has them.
#include "udp_socket.h"

#include <sys/socket.h>

#include "check.h"

namespace edgeproxy::test {

namespace {
int ReceiveBufferOf(int fd) {
  int bytes = 0;
  socklen_t length = sizeof bytes;
  CHECK_EQ(::getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &length), 0);
  return bytes;
}
}  // namespace

TEST(HasRoomFromTheStart, "a session's socket has the largest receive buffer that it is allowed, before the first reply") {
  const UniqueFd session = ConnectUdp({{0, 0, 0xffff, 0x7f000001}, 9});
  CHECK(session.is_open());
  const UniqueFd plain(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  CHECK_OP(ReceiveBufferOf(session.get()), >, ReceiveBufferOf(plain.get()));
  const int most = 1 << 20;
  CHECK_EQ(::setsockopt(plain.get(), SOL_SOCKET, SO_RCVBUF, &most, sizeof most), 0);
  CHECK_EQ(ReceiveBufferOf(session.get()), ReceiveBufferOf(plain.get()));
}

}  // namespace edgeproxy::test
