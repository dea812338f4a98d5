// What a descriptor is that this process was started with: a supervisor says that it is a socket, the kernel says which.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "system_error.h"

namespace edgeproxy {

struct HandedSocket {
  int family = 0;             // AF_INET, AF_INET6, AF_UNIX, …
  int type = 0;               // SOCK_STREAM, SOCK_DGRAM, …
  bool is_listening = false;  // false of datagrams
  std::string address;        // AF_INET and AF_INET6: the literal; else empty
  uint16_t port = 0;
};

// EBADF where nothing is open there, ENOTSOCK where it is no socket.
SystemError DescribeSocket(int fd, HandedSocket& socket);

}  // namespace edgeproxy
