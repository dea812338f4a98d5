// Sockets towards backends: how they are made, how they connect, and what their errors mean.
#pragma once

#include "peer_address.h"
#include "shared_layout.h"
#include "unique_fd.h"

namespace edgeproxy {

// A non-blocking socket of the family of `to`, without Nagle's algorithm, to be reset by who closes
// it (see reset_on_close.h); not open, with errno, where there is none left.
UniqueFd MakeBackendSocket(const PeerAddress& to);
// Returns 0 when the connect has begun, or an errno. A Unix socket, whose path is in the region, is connected at once or not
// at all: EAGAIN where the backend's queue is full, EHOSTUNREACH where nothing that could be connected to lies at the path.
int BeginConnect(int socket, const PeerAddress& to, RegionView region);

// Best effort: no option that is set here can keep a connection from working.
void SetTcpOption(int socket, int option, int value);

// Takes the socket's error: 0 where there is none.
int PendingError(int socket);
bool IsUnixSocket(int socket);
BackendError ErrorKind(int error);

}  // namespace edgeproxy
