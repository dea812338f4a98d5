// What the backend does with a connection, one table entry per kind.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct behaviour;

struct peer {
  int fd;
  const struct behaviour *behaviour;
  uint32_t events; // what epoll shall report; a behaviour may change it
  bool is_listener;
  uint64_t offset;   // bytes moved so far
  uint64_t wrong;    // pieces that did not match the pattern
  uint64_t digest;   // of the bytes so far
  uint8_t head[5];   // the first bytes, a TLS record's header
  uint8_t *pending;  // what the socket did not take yet
  size_t pending_length;
};

struct behaviour {
  const char *name;
  bool is_datagram; // one socket for all, which is ready from the beginning
  uint32_t first_events;
  bool (*on_open)(struct peer *peer); // may be NULL
  // Both return false when the connection is to be closed.
  bool (*on_ready)(struct peer *peer, uint32_t events);
};

// Of the behaviour `datagram`.
bool datagram_echo(struct peer *peer, uint32_t events);

const struct behaviour *behaviour_named(const char *name);
