// Persistent connections that each send a message, await its echo and send the next.
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "net.h"
#include "pattern.h"

enum { BATCH = 256, STEP = 97 };

struct peer {
  int fd;
  uint64_t offset; // of the current message in the pattern; moves on so that an old reply is not taken for a new one
  size_t sent, received;
  uint64_t started_ns;
};

struct echo_load {
  const struct options *options;
  struct meter *meter;
  int epoll_fd;
  uint32_t open;
};

static void drop(struct echo_load *load, struct peer *peer, int reason) {
  meter_errno(load->meter, reason);
  close(peer->fd);
  peer->fd = -1;
  load->open--;
}

// Sends what the socket takes; the rest waits for EPOLLOUT. False when the connection is lost.
static bool push(struct echo_load *load, struct peer *peer) {
  size_t left = load->options->size - peer->sent;
  ssize_t sent = send(peer->fd, pattern_at(peer->offset) + peer->sent, left, MSG_NOSIGNAL);
  if (sent == -1 && errno != EAGAIN) {
    drop(load, peer, errno);
    return false;
  }
  bool had_rest = peer->sent != 0;
  if (sent > 0) peer->sent += (size_t)sent;
  bool has_rest = peer->sent < load->options->size;
  if (has_rest || had_rest) {
    struct epoll_event event = {.events = has_rest ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = peer};
    if (epoll_ctl(load->epoll_fd, EPOLL_CTL_MOD, peer->fd, &event) == -1) die("epoll_ctl");
  }
  return true;
}

static void next_message(struct echo_load *load, struct peer *peer, uint64_t now) {
  peer->offset = (peer->offset + STEP) % PATTERN_PERIOD;
  peer->sent = peer->received = 0;
  peer->started_ns = now;
  push(load, peer);
}

static void pull(struct echo_load *load, struct peer *peer) {
  static uint8_t buffer[PATTERN_CHUNK];
  size_t left = load->options->size - peer->received;
  ssize_t got = recv(peer->fd, buffer, left, 0);
  if (got == -1 && errno == EAGAIN) return;
  if (got <= 0) return drop(load, peer, got == 0 ? 0 : errno);
  if (!pattern_matches(peer->offset + peer->received, buffer, (size_t)got)) meter_error(load->meter, FAIL_WRONG_BYTES);
  peer->received += (size_t)got;
  if (peer->received < load->options->size) return;
  uint64_t now = now_ns();
  meter_finish(load->meter, peer->started_ns, now);
  meter_bytes(load->meter, 2 * load->options->size);
  if (load->meter->phase != PHASE_DRAIN) next_message(load, peer, now);
}

static void loop(struct echo_load *load) {
  struct epoll_event events[BATCH];
  while (meter_advance(load->meter, now_ns()) && load->open > 0) {
    int count = epoll_wait(load->epoll_fd, events, BATCH, 100);
    for (int i = 0; i < count; i++) {
      struct peer *peer = events[i].data.ptr;
      if ((events[i].events & EPOLLOUT) != 0 && !push(load, peer)) continue;
      if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) pull(load, peer);
    }
  }
}

static void fail_stalled(struct echo_load *load, const struct peer *peers) {
  uint64_t now = now_ns();
  for (uint32_t i = 0; i < load->options->connections; i++)
    if (peers[i].fd != -1 && now - peers[i].started_ns > 1000000000u) meter_error(load->meter, FAIL_STALLED);
}

void run_echo(const struct options *options, struct meter *meter) {
  struct echo_load load = {.options = options, .meter = meter, .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
  struct peer *peers = calloc(options->connections, sizeof *peers);
  if (peers == NULL || load.epoll_fd == -1) die("prepare");
  int *fds = open_connections(options, meter, true);
  meter_begin(meter, options->warmup_s, options->seconds);
  for (uint32_t i = 0; i < options->connections; i++) {
    peers[i] = (struct peer){.fd = fds[i], .offset = i};
    if (fds[i] == -1) continue;
    load.open++;
    net_set_blocking(fds[i], false);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &peers[i]};
    if (epoll_ctl(load.epoll_fd, EPOLL_CTL_ADD, fds[i], &event) == -1) die("epoll_ctl");
    next_message(&load, &peers[i], now_ns());
  }
  loop(&load);
  fail_stalled(&load, peers);
  for (uint32_t i = 0; i < options->connections; i++) fds[i] = peers[i].fd;
  close_connections(fds, options->connections);
  close(load.epoll_fd);
  free(peers);
}
