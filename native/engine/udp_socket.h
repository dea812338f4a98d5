// UDP sockets: those that clients send to, and one for each session towards its backend.
#pragma once

#include <netinet/in.h>

#include <cstdint>

#include "listener.h"
#include "peer_address.h"
#include "system_error.h"
#include "unique_fd.h"

namespace edgeproxy {

// What the kernel takes and gives in one piece of many datagrams (UDP_SEGMENT, UDP_GRO).
struct UdpOffloads {
  bool has_gso = false;
  bool has_gro = false;
};

// Asks the kernel with a socket of its own; without either everything goes one by one.
UdpOffloads ProbeUdpOffloads();

// A bound socket, non-blocking and close-on-exec; `::` takes both families. `port` is the one bound. A member of its
// SO_REUSEPORT group, and so a taker of datagrams, from here on. No SO_REUSEADDR: with it two programs could bind the same port.
SystemError BindUdp(const BindOptions& options, UniqueFd& fd, uint16_t& port);
// Makes a bound UDP socket that this process has inherited its own. EINVAL where it is none.
SystemError AdoptUdp(int fd);

bool IsDatagramSocket(int fd);
// Where it is bound. False where it cannot be told.
bool LocalAddress(int fd, sockaddr_storage& address);

// Whether an error of a connected socket says that its peer is not there: the network has told of an earlier datagram.
bool IsBackendGone(int error);

// A connected, non-blocking socket with room for a burst: it gets nothing from anybody else. Not open, with errno, where that
// cannot be.
UniqueFd ConnectUdp(const PeerAddress& to);
// For a session with much to read: datagrams of a kind may come in one piece.
void ExpectMuch(int socket, bool has_gro);

}  // namespace edgeproxy
