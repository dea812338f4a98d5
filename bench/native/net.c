#define _GNU_SOURCE
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BACKLOG = 4096, BLOCKING_TIMEOUT_S = 5, FIRST_SOURCE = 0x7f100001, DATAGRAM_ROOM = 4 * 1024 * 1024 };

uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void sleep_until_ns(uint64_t deadline_ns) {
  struct timespec deadline = {(time_t)(deadline_ns / 1000000000u), (long)(deadline_ns % 1000000000u)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL) == EINTR) continue;
}

void die(const char *what) {
  perror(what);
  exit(1);
}

static struct sockaddr_in address(uint32_t ip, uint16_t port) {
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ip)};
}

int net_listen(const char *ip, uint16_t *port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd == -1) die("socket");
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in local = address(ntohl(inet_addr(ip)), *port);
  if (bind(fd, (struct sockaddr *)&local, sizeof local) == -1) die("bind");
  if (listen(fd, BACKLOG) == -1) die("listen");
  socklen_t length = sizeof local;
  if (getsockname(fd, (struct sockaddr *)&local, &length) == -1) die("getsockname");
  *port = ntohs(local.sin_port);
  return fd;
}

int net_bind_datagram(uint32_t ip, uint16_t *port) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd == -1) die("socket");
  // Root may have more than net.core allows.
  int room = DATAGRAM_ROOM;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) == -1)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) == -1)
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  struct sockaddr_in local = address(ip, *port);
  socklen_t length = sizeof local;
  if (bind(fd, (struct sockaddr *)&local, sizeof local) == -1) die("bind");
  if (getsockname(fd, (struct sockaddr *)&local, &length) == -1) die("getsockname");
  *port = ntohs(local.sin_port);
  return fd;
}

void net_nodelay(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void net_set_blocking(int fd, bool blocking) {
  int flags = fcntl(fd, F_GETFL);
  if (fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) == -1) die("fcntl");
}

static void set_timeouts(int fd) {
  struct timeval timeout = {.tv_sec = BLOCKING_TIMEOUT_S};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
}

int net_connect(uint16_t port, uint32_t source_index, uint32_t sources, bool blocking) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK), 0);
  if (fd == -1) return -1;
  // The port is chosen at connect, when the destination is known: bind alone would use up one of 64 k per address.
  int on = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (blocking) set_timeouts(fd);
  struct sockaddr_in source = address(FIRST_SOURCE + source_index % sources, 0);
  struct sockaddr_in target = address(INADDR_LOOPBACK, port);
  if (bind(fd, (struct sockaddr *)&source, sizeof source) == 0 &&
      (connect(fd, (struct sockaddr *)&target, sizeof target) == 0 || errno == EINPROGRESS))
    return fd;
  int reason = errno;
  close(fd);
  errno = reason;
  return -1;
}

bool net_send_all(int fd, const void *bytes, size_t length) {
  const char *at = bytes;
  while (length > 0) {
    ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
    if (sent == -1 && errno == EINTR) continue;
    if (sent == -1) return false;
    at += sent;
    length -= (size_t)sent;
  }
  return true;
}

bool net_receive_all(int fd, void *bytes, size_t length) {
  char *at = bytes;
  while (length > 0) {
    ssize_t got = recv(fd, at, length, 0);
    if (got == -1 && errno == EINTR) continue;
    if (got == 0) errno = 0;
    if (got <= 0) return false;
    at += got;
    length -= (size_t)got;
  }
  return true;
}
