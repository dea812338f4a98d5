// Listening TCP sockets.
#pragma once

#include <cstdint>

#include "system_error.h"
#include "unique_fd.h"

namespace edgeproxy {

struct ListenOptions {
  const char* address;  // IPv4 or IPv6 literal, the latter also with a zone (fe80::1%eth0)
  uint16_t port;        // 0: the kernel chooses
  int backlog;
  bool is_reuse_port;
};

// Non-blocking, close-on-exec; `::` takes both families. What is accepted from it has TCP_NODELAY. `port` is the one bound.
SystemError Listen(const ListenOptions& options, UniqueFd& fd, uint16_t& port);

}  // namespace edgeproxy
