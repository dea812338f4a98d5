#include "listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>

#include "check.h"
#include "peer_address.h"
#include "sockets.h"

namespace edgeproxy::test {

namespace {

int IntOption(int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  CHECK_EQ(::getsockopt(fd, level, name, &value, &length), 0);
  return value;
}

SystemError TryListen(const char* address, uint16_t port, bool is_reuse_port, UniqueFd& fd) {
  uint16_t bound = 0;
  return Listen({address, port, 16, is_reuse_port}, fd, bound);
}

}  // namespace

TEST(ReportsItsPort, "port 0 becomes a real one; the listener is non-blocking and close-on-exec, what it accepts has no delay") {
  uint16_t port = 0;
  const UniqueFd listener = ListenOnLoopback(port);
  CHECK_OP(port, >, 0);
  CHECK((::fcntl(listener.get(), F_GETFL) & O_NONBLOCK) != 0);
  CHECK_EQ(::fcntl(listener.get(), F_GETFD), FD_CLOEXEC);
  const UniqueFd client = ConnectClient(port);
  CHECK(IsReadable(listener.get(), kWaitMs));
  const UniqueFd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  CHECK_EQ(IntOption(accepted.get(), IPPROTO_TCP, TCP_NODELAY), 1);
}

TEST(TakesBothFamilies, ":: takes IPv4 clients too, and their address is the canonical one") {
  UniqueFd listener;
  uint16_t port = 0;
  if (Listen({"::", 0, 16, false}, listener, port).code == EAFNOSUPPORT) return;
  const UniqueFd client = ConnectClient(port);
  CHECK(IsReadable(listener.get(), kWaitMs));
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  const UniqueFd accepted(::accept4(listener.get(), reinterpret_cast<sockaddr*>(&peer), &length, SOCK_CLOEXEC));
  const PeerAddress address = PeerAddress::FromSockaddr(peer);
  CHECK(address.IsV4());
  CHECK_EQ(address.words[3], INADDR_LOOPBACK);
  CHECK_EQ(address.port, LocalPort(client.get()));
}

TEST(RefusesAPortInUse, "a port in use is EADDRINUSE at bind, unless both ask for SO_REUSEPORT") {
  uint16_t port = 0;
  UniqueFd first = ListenOnLoopback(port);
  UniqueFd second;
  const SystemError error = TryListen("127.0.0.1", port, true, second);
  CHECK_EQ(error.code, EADDRINUSE);
  CHECK(!second.is_open());
  first.Reset();
  CHECK(!TryListen("127.0.0.1", port, true, first).is_set());
  CHECK(!TryListen("127.0.0.1", port, true, second).is_set());
}

TEST(RefusesNonsense, "what is no address literal is EINVAL, an address that is not ours EADDRNOTAVAIL") {
  UniqueFd fd;
  for (const char* address : {"", "localhost", "1.2.3.4.5", "::g", "[::1]"}) {
    CHECK_EQ(TryListen(address, 0, false, fd).code, EINVAL);
  }
  CHECK_EQ(TryListen("192.0.2.1", 0, false, fd).code, EADDRNOTAVAIL);
  CHECK(!fd.is_open());
}

}  // namespace edgeproxy::test
