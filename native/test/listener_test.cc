#include "listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>

#include "channel.h"
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
  const SystemError error = Bind({address, port, is_reuse_port}, fd, bound);
  return error.is_set() ? error : Listen(fd.get(), 16);
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
  if (Bind({"::", 0, false}, listener, port).code == EAFNOSUPPORT) return;
  CHECK(!Listen(listener.get(), 16).is_set());
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

TEST(NoClientBeforeListen, "beside a listener one that is only bound gets no client, and closing it resets nobody") {
  uint16_t port = 0;
  UniqueFd first;
  CHECK(!Bind({"127.0.0.1", 0, true}, first, port).is_set());
  CHECK(!Listen(first.get(), 64).is_set());
  UniqueFd second;
  uint16_t same = 0;
  CHECK(!Bind({"127.0.0.1", port, true}, second, same).is_set());
  CHECK_EQ(same, port);
  for (int i = 0; i < 32; i++) {
    const UniqueFd client = ConnectClient(port);
    CHECK(IsReadable(first.get(), kWaitMs));
    const UniqueFd accepted(::accept4(first.get(), nullptr, nullptr, SOCK_CLOEXEC));
    CHECK(accepted.is_open());
  }
}

TEST(RefusesNonsense, "what is no address literal is EINVAL, an address that is not ours EADDRNOTAVAIL") {
  UniqueFd fd;
  for (const char* address : {"", "localhost", "1.2.3.4.5", "::g", "[::1]"}) {
    CHECK_EQ(TryListen(address, 0, false, fd).code, EINVAL);
  }
  CHECK_EQ(TryListen("192.0.2.1", 0, false, fd).code, EADDRNOTAVAIL);
  CHECK(!fd.is_open());
}

TEST(AdoptsWhatIsInherited, "an inherited listener becomes close-on-exec and non-blocking, and keeps who waits in it") {
  uint16_t port = 0;
  const UniqueFd listener = ListenOnLoopback(port);
  const UniqueFd client = ConnectClient(port);
  // As it is after fork and exec, from a program that used it its own way.
  CHECK_EQ(::fcntl(listener.get(), F_SETFD, 0), 0);
  CHECK_EQ(::fcntl(listener.get(), F_SETFL, 0), 0);
  CHECK(!AdoptListener(listener.get(), 16, false).is_set());
  CHECK_EQ(::fcntl(listener.get(), F_GETFD), FD_CLOEXEC);
  CHECK((::fcntl(listener.get(), F_GETFL) & O_NONBLOCK) != 0);
  CHECK(IsReadable(listener.get(), kWaitMs));
  const UniqueFd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  CHECK(accepted.is_open());
}

TEST(SharesWhatIsInherited, "beside an inherited listener others can be opened once it is adopted for that") {
  uint16_t port = 0;
  const UniqueFd listener = ListenOnLoopback(port);
  UniqueFd second;
  CHECK_EQ(TryListen("127.0.0.1", port, true, second).code, EADDRINUSE);
  CHECK(!AdoptListener(listener.get(), 16, true).is_set());
  CHECK(!TryListen("127.0.0.1", port, true, second).is_set());
}

TEST(AdoptsOnlyListeners, "a socket that does not listen is EINVAL, no socket ENOTSOCK, no descriptor EBADF") {
  UniqueFd one;
  UniqueFd other;
  CHECK_EQ(MakeChannel(one, other), 0);
  CHECK_EQ(AdoptListener(one.get(), 16, false).code, EINVAL);
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  CHECK_EQ(AdoptListener(null.get(), 16, false).code, ENOTSOCK);
  CHECK_EQ(AdoptListener(1 << 20, 16, false).code, EBADF);
}

TEST(SetsWhatIsInherited, "an adopted listener gives its clients what one of ours gives them, whoever opened it") {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK_EQ(::listen(listener.get(), 16), 0);
  CHECK(!AdoptListener(listener.get(), 16, false).is_set());
  const UniqueFd client = ConnectClient(LocalPort(listener.get()));
  CHECK(IsReadable(listener.get(), kWaitMs));
  const UniqueFd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  linger on_close{};
  socklen_t length = sizeof on_close;
  CHECK_EQ(::getsockopt(accepted.get(), SOL_SOCKET, SO_LINGER, &on_close, &length), 0);
  CHECK(on_close.l_onoff == 1 && on_close.l_linger == 0);
  CHECK_EQ(IntOption(accepted.get(), IPPROTO_TCP, TCP_NODELAY), 1);
  CHECK_EQ(IntOption(accepted.get(), SOL_SOCKET, SO_OOBINLINE), 1);
}

}  // namespace edgeproxy::test
