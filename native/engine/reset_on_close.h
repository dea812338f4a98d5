// SO_LINGER of every socket that carries a stream, from its first moment: whoever closes it sends a reset.
//
// The kernel closes the sockets of a process that was killed, with a FIN where everything was read: the other side would
// take a stream that was cut for one that has ended. An orderly end takes the option off before it closes, which costs
// two system calls per connection, and one sets it for the backend's socket (the client's inherits it).
#pragma once

#include <sys/socket.h>

namespace edgeproxy {

inline int ResetOnClose(int socket) {
  const linger reset{1, 0};
  return ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

inline void EndOnClose(int socket) {
  const linger off{};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &off, sizeof off);
}

}  // namespace edgeproxy
