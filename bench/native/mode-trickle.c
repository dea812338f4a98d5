// Many open connections, each sending a small message now and then; together they keep a fixed rate.
// The latency of a message counts from the moment it was due.
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "net.h"
#include "pattern.h"

enum { MESSAGE_LIMIT = 512, BATCH = 256, STRIDE = 389 };
static const uint64_t drain_ns = 500000000u;

struct trickler {
  int fd;
  bool is_waiting;
  uint32_t serial;
  size_t received;
  uint64_t due_ns;
};

struct trickle_load {
  const struct options *options;
  struct meter *meter;
  struct trickler *tricklers;
  int epoll_fd;
  uint32_t next, open, waiting, serial;
  uint64_t next_due_ns, interval_ns;
};

static void drop(struct trickle_load *load, struct trickler *trickler, int reason) {
  meter_errno(load->meter, reason);
  if (trickler->is_waiting) load->waiting--;
  trickler->is_waiting = false;
  close(trickler->fd);
  trickler->fd = -1;
  load->open--;
}

// The next connection without a message under way; a stride far from 1 keeps neighbours apart in time.
static struct trickler *pick(struct trickle_load *load) {
  for (uint32_t tried = 0; tried < load->options->connections; tried++) {
    load->next = (load->next + STRIDE) % load->options->connections;
    struct trickler *trickler = &load->tricklers[load->next];
    if (trickler->fd != -1 && !trickler->is_waiting) return trickler;
  }
  return NULL;
}

static void send_due(struct trickle_load *load, uint64_t now) {
  while (load->next_due_ns <= now) {
    struct trickler *trickler = load->open > load->waiting ? pick(load) : NULL;
    if (trickler == NULL) return;
    trickler->serial = load->serial++;
    trickler->received = 0;
    trickler->due_ns = load->next_due_ns;
    trickler->is_waiting = true;
    load->waiting++;
    load->next_due_ns += load->interval_ns;
    ssize_t sent = send(trickler->fd, pattern_at(trickler->serial), load->options->size, MSG_NOSIGNAL);
    if (sent != (ssize_t)load->options->size) drop(load, trickler, sent == -1 ? errno : EIO);
  }
}

static void receive(struct trickle_load *load, struct trickler *trickler) {
  uint8_t reply[MESSAGE_LIMIT];
  ssize_t got = recv(trickler->fd, reply, sizeof reply, 0);
  if (got == -1 && errno == EAGAIN) return;
  if (got <= 0) return drop(load, trickler, got == 0 ? 0 : errno);
  if (!trickler->is_waiting || !pattern_matches(trickler->serial + trickler->received, reply, (size_t)got))
    meter_error(load->meter, FAIL_WRONG_BYTES);
  trickler->received += (size_t)got;
  if (!trickler->is_waiting || trickler->received < load->options->size) return;
  trickler->is_waiting = false;
  load->waiting--;
  meter_finish(load->meter, trickler->due_ns, now_ns());
}

static void loop(struct trickle_load *load) {
  struct epoll_event events[BATCH];
  for (;;) {
    uint64_t now = now_ns();
    bool may_start = meter_advance(load->meter, now);
    if (may_start) send_due(load, now);
    if (load->open == 0 || (!may_start && (load->waiting == 0 || now > load->meter->window_end_ns + drain_ns))) break;
    uint64_t wait_ns = 10000000u;
    if (may_start && load->open > load->waiting)
      wait_ns = load->next_due_ns > now ? load->next_due_ns - now : 0;
    struct timespec timeout = {(time_t)(wait_ns / 1000000000u), (long)(wait_ns % 1000000000u)};
    int count = epoll_pwait2(load->epoll_fd, events, BATCH, &timeout, NULL);
    for (int i = 0; i < count; i++) receive(load, events[i].data.ptr);
  }
  for (uint32_t i = 0; i < load->waiting; i++) meter_error(load->meter, FAIL_STALLED);
}

void run_trickle(const struct options *options, struct meter *meter) {
  prctl(PR_SET_TIMERSLACK, 1UL);
  struct trickle_load load = {.options = options,
                              .meter = meter,
                              .tricklers = calloc(options->connections, sizeof(struct trickler)),
                              .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
                              .interval_ns = (uint64_t)(1e9 / options->rate)};
  if (load.tricklers == NULL || load.epoll_fd == -1 || options->size > MESSAGE_LIMIT) die("prepare");
  int *fds = open_connections(options, meter, true);
  for (uint32_t i = 0; i < options->connections; i++) {
    load.tricklers[i].fd = fds[i];
    if (fds[i] == -1) continue;
    load.open++;
    net_set_blocking(fds[i], false);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &load.tricklers[i]};
    if (epoll_ctl(load.epoll_fd, EPOLL_CTL_ADD, fds[i], &event) == -1) die("epoll_ctl");
  }
  meter_begin(meter, options->warmup_s, options->seconds);
  load.next_due_ns = now_ns();
  loop(&load);
  for (uint32_t i = 0; i < options->connections; i++) fds[i] = load.tricklers[i].fd;
  close_connections(fds, options->connections);
  close(load.epoll_fd);
  free(load.tricklers);
}
