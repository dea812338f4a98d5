// Clients and listeners for tests, on loopback; every wait is bounded.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "check.h"
#include "listener.h"
#include "unique_fd.h"

namespace edgeproxy::test {

constexpr int kWaitMs = 60'000;

// As the proxy listens.
inline UniqueFd ListenOnLoopback(uint16_t& port, int backlog = 4096) {
  UniqueFd fd;
  CHECK(!Bind({"127.0.0.1", 0, false}, fd, port).is_set());
  CHECK(!Listen(fd.get(), backlog).is_set());
  return fd;
}

// As a backend listens: what it accepts is closed with a FIN.
inline UniqueFd ListenAsBackend(uint16_t& port, int backlog = 4096) {
  UniqueFd fd = ListenOnLoopback(port, backlog);
  const linger off{};
  CHECK_EQ(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &off, sizeof off), 0);
  return fd;
}

inline UniqueFd NewClient() { return UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

// Returns 0 or an errno.
inline int Connect(const UniqueFd& client, uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(client.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == -1 ? errno : 0;
}

inline UniqueFd ConnectClient(uint16_t port) {
  UniqueFd client = NewClient();
  CHECK(client.is_open());
  CHECK_EQ(Connect(client, port), 0);
  return client;
}

inline bool IsReadable(int fd, int timeout_ms) {
  pollfd poll_fd = {fd, POLLIN, 0};
  return ::poll(&poll_fd, 1, timeout_ms) == 1;
}

// One byte from one end to the other: the connection is alive and these are its two ends.
inline void CheckConnected(int from, int to, char byte) {
  char received = 0;
  CHECK_EQ(::send(from, &byte, 1, MSG_NOSIGNAL), 1);
  CHECK(IsReadable(to, kWaitMs));
  CHECK_EQ(::recv(to, &received, 1, 0), 1);
  CHECK_EQ(received, byte);
}

inline uint16_t LocalPort(int fd) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  CHECK_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), 0);
  return ntohs(address.sin_port);
}

}  // namespace edgeproxy::test
