// The address of a client or a backend in its canonical form: sixteen bytes, IPv4 as ::ffff:a.b.c.d, in four words of
// host order, most significant first, as the shared tables and TypeScript hold it. Of a backend on a Unix socket the port is
// kUnixPort, and the words name the path (see PATH in layout.ts).
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

#include "shared_layout.h"

namespace edgeproxy {

struct PeerAddress {
  uint32_t words[4];
  uint32_t port;

  bool IsV4() const { return words[0] == 0 && words[1] == 0 && words[2] == 0xffff; }
  bool IsUnix() const { return port == kUnixPort; }
  uint32_t path_serial() const { return words[1]; }
  uint32_t path_number() const { return words[3]; }

  // Takes AF_INET and AF_INET6; any other family gives the unspecified address.
  static PeerAddress FromSockaddr(const sockaddr_storage& from);
  // Not of a Unix socket: fills `to` with AF_INET for IPv4 and AF_INET6 otherwise; returns its length.
  socklen_t ToSockaddr(sockaddr_storage& to) const;
};

}  // namespace edgeproxy
