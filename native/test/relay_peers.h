// The two ends that a relay is between, as a test drives them: clients, backends that accept or do not, and what is
// received.
#pragma once

#include <string>

#include "relay_rig.h"

namespace edgeproxy::test {

inline void Send(const UniqueFd& fd, const std::string& text, int flags = 0) {
  CHECK_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL | flags), text.size());
}

// What is there now; "(end)", "(reset)" or "" where nothing is.
inline std::string Receive(const UniqueFd& fd) {
  char bytes[4096];
  const ssize_t got = ::recv(fd.get(), bytes, sizeof bytes, MSG_DONTWAIT);
  if (got > 0) return {bytes, static_cast<size_t>(got)};
  if (got == 0) return "(end)";
  return errno == EAGAIN ? "" : errno == ECONNRESET ? "(reset)" : "(error)";
}

struct Backend {
  uint16_t port = 0;
  UniqueFd listener = ListenAsBackend(port);

  // Connects are refused from now on; the port stays taken.
  void StopListening() const { CHECK_EQ(::shutdown(listener.get(), SHUT_RD), 0); }
  UniqueFd TryAccept() const { return UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)); }
};

inline UniqueFd AcceptThrough(RelayRig& rig, const Backend& backend) {
  UniqueFd upstream;
  rig.Until([&] { return (upstream = backend.TryAccept()).is_open(); });
  return upstream;
}

inline void Expect(RelayRig& rig, const UniqueFd& fd, const std::string& expected) {
  std::string got;
  rig.Until([&] {
    const std::string part = Receive(fd);
    got += part;
    return got.size() >= expected.size() || part[0] == '(';
  });
  CHECK(got == expected);
}

// A port that nobody listens on, and that the kernel gives to nobody who asks for any.
inline uint16_t DeadPort() { return 1; }

// A listening socket that nobody accepts from and whose queue is full: connects are never answered.
struct Blackhole {
  uint16_t port = 0;
  UniqueFd listener = ListenOnLoopback(port, 0);
  UniqueFd filler = ConnectClient(port);
};

struct Pair {
  UniqueFd client;
  UniqueFd upstream;
};

inline Pair Relayed(RelayRig& rig, const Backend& backend) {
  Pair pair{rig.Admit(), AcceptThrough(rig, backend)};
  Send(pair.client, "hello");
  Expect(rig, pair.upstream, "hello");
  return pair;
}

}  // namespace edgeproxy::test
