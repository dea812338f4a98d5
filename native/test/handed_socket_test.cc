#include "handed_socket.h"

#include <netinet/in.h>

#include "check.h"
#include "sockets.h"

namespace edgeproxy::test {

TEST(TellsListeners, "a listening socket is told by family, address and port; one that is bound alone does not listen") {
  uint16_t port = 0;
  const UniqueFd listener = ListenOnLoopback(port);
  HandedSocket socket;
  CHECK(!DescribeSocket(listener.get(), socket).is_set());
  CHECK(socket.family == AF_INET && socket.type == SOCK_STREAM && socket.is_listening);
  CHECK(socket.address == "127.0.0.1");
  CHECK_EQ(socket.port, port);
  UniqueFd bound;
  CHECK(!Bind({"::", 0, false}, bound, port).is_set());
  CHECK(!DescribeSocket(bound.get(), socket).is_set());
  CHECK(socket.family == AF_INET6 && !socket.is_listening);
  CHECK(socket.address == "::");
}

TEST(TellsOthers, "datagram and Unix sockets are told, and what is no socket is an error") {
  HandedSocket socket;
  const UniqueFd datagram(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  CHECK(!DescribeSocket(datagram.get(), socket).is_set());
  CHECK(socket.family == AF_INET6 && socket.type == SOCK_DGRAM && !socket.is_listening);
  const UniqueFd local(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(!DescribeSocket(local.get(), socket).is_set());
  CHECK(socket.family == AF_UNIX && socket.address.empty());
  int ends[2];
  CHECK_EQ(::pipe(ends), 0);
  CHECK_EQ(DescribeSocket(ends[0], socket).code, ENOTSOCK);
  ::close(ends[0]);
  ::close(ends[1]);
  CHECK_EQ(DescribeSocket(ends[0], socket).code, EBADF);
}

}  // namespace edgeproxy::test
