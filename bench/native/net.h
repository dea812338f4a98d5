// Sockets and the clock, as both programs need them. Failures that make a measurement senseless end the process.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

uint64_t now_ns(void);
void sleep_until_ns(uint64_t deadline_ns);
void die(const char *what);

// A non-blocking listener on 127.0.0.1; port 0 takes a free one. Stores the port it got.
int net_listen(const char *ip, uint16_t *port);
// A non-blocking UDP socket at that address (host order) with room for bursts; port 0 takes a free one. Stores the port it got.
int net_bind_datagram(uint32_t ip, uint16_t *port);
void net_nodelay(int fd);
void net_set_blocking(int fd, bool blocking);

// Starts a connection to 127.0.0.1:port from the n-th of `sources` addresses in 127.16.0.0/12, so that neither
// TIME_WAIT nor the ephemeral ports of one address limit the rate. Returns -1 with errno.
int net_connect(uint16_t port, uint32_t source_index, uint32_t sources, bool blocking);
// Blocking transfer of exactly `length` bytes (the socket's timeout applies). Returns false with errno, 0 at end of stream.
bool net_send_all(int fd, const void *bytes, size_t length);
bool net_receive_all(int fd, void *bytes, size_t length);
