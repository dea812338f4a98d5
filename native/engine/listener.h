// Listening TCP sockets.
#pragma once

#include <sys/socket.h>

#include <cstdint>

#include "system_error.h"
#include "unique_fd.h"

namespace edgeproxy {

struct BindOptions {
  const char* address;  // IPv4 or IPv6 literal, the latter also with a zone (fe80::1%eth0)
  uint16_t port;        // 0: the kernel chooses
  bool is_reuse_port;
};

// Its address in the system's form; EINVAL where it is none.
SystemError ParseAddress(const BindOptions& options, sockaddr_storage& address, socklen_t& length);

// A socket that has its address, but no client comes to it yet: it is no member of a reuseport group. Non-blocking,
// close-on-exec; `::` takes both families. What is accepted from it has TCP_NODELAY and is reset by who closes it (see
// reset_on_close.h). `port` is the one bound.
SystemError Bind(const BindOptions& options, UniqueFd& fd, uint16_t& port);

// From here on clients come to it. EADDRINUSE where another process that has bound the address too was faster.
SystemError Listen(int fd, int backlog);

// From here on the kernel drops every SYN that comes for this listening socket, in whatever process it is open: nobody
// starts to connect, and whoever has started still ends up in the queue. Once that is empty it can be closed without a
// client that believed itself connected being reset.
SystemError RefuseNewClients(int listener);

// Makes a listening socket that this process has inherited its own: close-on-exec, non-blocking, with this backlog, and with
// SO_REUSEPORT set where asked for, so that others may be opened beside it. EINVAL where it does not listen.
SystemError AdoptListener(int fd, int backlog, bool is_reuse_port);

// A descriptor that this process has inherited: none of its children shall.
SystemError SetCloseOnExec(int fd);

}  // namespace edgeproxy
