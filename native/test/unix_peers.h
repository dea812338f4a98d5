// Backends on Unix sockets, in a directory of their own.
#pragma once

#include <stdlib.h>
#include <sys/un.h>

#include <string>

#include "relay_peers.h"

namespace edgeproxy::test {

struct ScratchDirectory {
  ScratchDirectory() { CHECK(::mkdtemp(path) != nullptr); }
  ~ScratchDirectory() { CHECK_EQ(::rmdir(path), 0); }
  std::string operator/(const char* name) const { return std::string(path) + "/" + name; }
  char path[32] = "/tmp/edgeproxy-XXXXXX";
};

struct UnixBackend {
  explicit UnixBackend(std::string at, int backlog = 128, int type = SOCK_STREAM)
      : path(std::move(at)), listener(::socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    CHECK_OP(path.size(), <, sizeof address.sun_path);
    path.copy(address.sun_path, path.size());
    CHECK_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    if (type == SOCK_STREAM) CHECK_EQ(::listen(listener.get(), backlog), 0);
  }
  ~UnixBackend() { ::unlink(path.c_str()); }
  UniqueFd TryAccept() const { return UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)); }

  std::string path;
  UniqueFd listener;
};

inline UniqueFd AcceptThrough(RelayRig& rig, const UnixBackend& backend) {
  UniqueFd upstream;
  rig.Until([&] { return (upstream = backend.TryAccept()).is_open(); });
  return upstream;
}

}  // namespace edgeproxy::test
