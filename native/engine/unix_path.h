// The paths of Unix-socket backends, which the primary writes into the region: an address names an entry there.
#pragma once

#include <sys/un.h>

#include "peer_address.h"
#include "shared_layout.h"

namespace edgeproxy {

// Copies the path that `to` names; returns whether the entry still holds it.
bool ReadPath(RegionView region, const PeerAddress& to, sockaddr_un& address);

// See BeginConnect, of which this is the part for Unix sockets.
int ConnectToPath(int socket, const PeerAddress& to, RegionView region);

}  // namespace edgeproxy
