// connect + send 64 B + read 64 B + close, closed loop (a fixed number in flight) or open loop (a fixed rate).
// In the open loop a latency counts from the moment the connection should have started, whatever held it up.
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

enum { MESSAGE = 64, OPEN_LOOP_LIMIT = 4096, BATCH = 256 };
static const uint64_t stall_ns = 2000000000u, drain_ns = 500000000u, scan_every_ns = 100000000u;

struct attempt {
  int fd; // -1 = free
  uint32_t serial;
  uint32_t received;
  bool is_sent;
  uint64_t intended_ns;
  uint8_t reply[MESSAGE];
};

struct connect_load {
  const struct options *options;
  struct meter *meter;
  struct attempt *attempts;
  uint32_t *free_slots;
  uint32_t limit, free_count, serial;
  int epoll_fd;
  uint64_t next_due_ns, interval_ns;
};

static void finish(struct connect_load *load, struct attempt *attempt) {
  close(attempt->fd);
  attempt->fd = -1;
  load->free_slots[load->free_count++] = (uint32_t)(attempt - load->attempts);
}

static void fail(struct connect_load *load, struct attempt *attempt, int reason) {
  meter_errno(load->meter, reason);
  finish(load, attempt);
}

// False when the attempt ended. A socket still connecting answers EAGAIN and is tried again when it is writable.
static bool try_send(struct connect_load *load, struct attempt *attempt) {
  ssize_t sent = send(attempt->fd, pattern_at(attempt->serial), MESSAGE, MSG_NOSIGNAL);
  if (sent == -1 && (errno == EAGAIN || errno == ENOTCONN)) return true;
  if (sent != MESSAGE) {
    fail(load, attempt, sent == -1 ? errno : EIO);
    return false;
  }
  attempt->is_sent = true;
  return true;
}

static bool start(struct connect_load *load, uint64_t intended_ns) {
  uint32_t serial = load->serial++;
  int fd = net_connect(load->options->port, serial, load->options->sources, false);
  if (fd == -1) {
    meter_errno(load->meter, errno);
    return false;
  }
  uint32_t slot = load->free_slots[--load->free_count];
  struct attempt *attempt = &load->attempts[slot];
  *attempt = (struct attempt){.fd = fd, .serial = serial, .intended_ns = intended_ns};
  if (!try_send(load, attempt)) return false;
  struct epoll_event event = {.events = attempt->is_sent ? EPOLLIN : EPOLLIN | EPOLLOUT, .data.u32 = slot};
  if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, fd, &event) == -1) die("epoll_ctl");
  return true;
}

static void receive(struct connect_load *load, struct attempt *attempt) {
  ssize_t got = recv(attempt->fd, attempt->reply + attempt->received, MESSAGE - attempt->received, 0);
  if (got == -1 && errno == EAGAIN) return;
  if (got <= 0) return fail(load, attempt, got == 0 ? 0 : errno);
  attempt->received += (uint32_t)got;
  if (attempt->received < MESSAGE) return;
  if (pattern_matches(attempt->serial, attempt->reply, MESSAGE))
    meter_finish(load->meter, attempt->intended_ns, now_ns());
  else
    meter_error(load->meter, FAIL_WRONG_BYTES);
  finish(load, attempt);
}

static void handle(struct connect_load *load, const struct epoll_event *event) {
  struct attempt *attempt = &load->attempts[event->data.u32];
  if (!attempt->is_sent) {
    if (!try_send(load, attempt) || !attempt->is_sent) return;
    struct epoll_event readable = {.events = EPOLLIN, .data.u32 = event->data.u32};
    if (epoll_ctl(load->epoll_fd, EPOLL_CTL_MOD, attempt->fd, &readable) == -1) die("epoll_ctl");
    return;
  }
  receive(load, attempt);
}

static void start_due(struct connect_load *load, uint64_t now) {
  if (load->interval_ns == 0) {
    while (load->free_count > 0 && start(load, now_ns())) continue;
    return;
  }
  while (load->next_due_ns <= now && load->free_count > 0) {
    start(load, load->next_due_ns);
    load->next_due_ns += load->interval_ns;
  }
}

static void fail_stalled(struct connect_load *load, uint64_t now, uint64_t older_than_ns) {
  for (uint32_t slot = 0; slot < load->limit; slot++) {
    struct attempt *attempt = &load->attempts[slot];
    if (attempt->fd != -1 && attempt->intended_ns + older_than_ns < now) fail(load, attempt, EAGAIN);
  }
}

static void wait_and_handle(struct connect_load *load, bool may_start) {
  uint64_t wait_ns = 10000000u, now = now_ns();
  if (may_start && load->interval_ns != 0 && load->free_count > 0) {
    uint64_t until_due = load->next_due_ns > now ? load->next_due_ns - now : 0;
    if (until_due < wait_ns) wait_ns = until_due;
  } else if (may_start && load->interval_ns == 0 && load->free_count > 0) {
    wait_ns = 1000000u; // a start failed at once: try again soon, but do not spin
  }
  struct timespec timeout = {0, (long)wait_ns};
  struct epoll_event events[BATCH];
  int count = epoll_pwait2(load->epoll_fd, events, BATCH, &timeout, NULL);
  for (int i = 0; i < count; i++) handle(load, &events[i]);
}

static void prepare(struct connect_load *load) {
  load->attempts = calloc(load->limit, sizeof *load->attempts);
  load->free_slots = calloc(load->limit, sizeof *load->free_slots);
  load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (load->attempts == NULL || load->free_slots == NULL || load->epoll_fd == -1) die("prepare");
  for (uint32_t slot = 0; slot < load->limit; slot++) {
    load->attempts[slot].fd = -1;
    load->free_slots[load->free_count++] = slot;
  }
}

void run_connect(const struct options *options, struct meter *meter) {
  prctl(PR_SET_TIMERSLACK, 1UL); // the default of 50 us would delay every paced start
  bool is_open_loop = options->rate > 0;
  struct connect_load load = {.options = options,
                              .meter = meter,
                              .limit = is_open_loop ? OPEN_LOOP_LIMIT : options->connections,
                              .serial = (uint32_t)now_ns(),
                              .interval_ns = is_open_loop ? (uint64_t)(1e9 / options->rate) : 0};
  prepare(&load);
  meter_begin(meter, options->warmup_s, options->seconds);
  load.next_due_ns = now_ns();
  uint64_t next_scan_ns = 0;
  for (;;) {
    uint64_t now = now_ns();
    bool may_start = meter_advance(meter, now);
    if (may_start) start_due(&load, now);
    if (!may_start && (load.free_count == load.limit || now > meter->window_end_ns + drain_ns)) break;
    if (now >= next_scan_ns) {
      fail_stalled(&load, now, stall_ns);
      next_scan_ns = now + scan_every_ns;
    }
    wait_and_handle(&load, may_start);
  }
  fail_stalled(&load, now_ns(), 0);
  close(load.epoll_fd);
  free(load.attempts);
  free(load.free_slots);
}
