// One datagram to a supervisor that listens on a Unix socket (sd_notify(3)): Node.js has no such sockets.
#pragma once

#include <string_view>

#include "system_error.h"

namespace edgeproxy {

// Sends the text to the socket of that name: a path, or an abstract name that begins with @. Never waits: EAGAIN where the
// other side's queue is full. EINVAL where the name is none of the two or too long.
SystemError SendNotification(std::string_view name, std::string_view text);

}  // namespace edgeproxy
