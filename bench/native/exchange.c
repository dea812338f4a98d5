#define _GNU_SOURCE
#include "exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

enum { OPEN_LOOP_LIMIT = 4096, BATCH = 256 };
static const uint64_t stall_ns = 2000000000u, drain_ns = 500000000u, scan_every_ns = 100000000u;
// How long the loop waits for others before it sends second parts.
static const uint64_t second_part_ns = 50000u;

struct attempt {
  int fd; // -1 = free
  uint32_t serial;
  uint32_t received;
  size_t sent;
  uint64_t intended_ns;
  uint8_t answer[MOST_ANSWER_BYTES];
};

struct load {
  const struct options *options;
  const struct exchange *exchange;
  struct meter *meter;
  struct attempt *attempts;
  uint32_t *free_slots;
  uint32_t *half_sent; // slots
  uint32_t limit, free_count, half_sent_count, serial;
  int epoll_fd;
  uint64_t next_due_ns, interval_ns;
};

static void finish(struct load *load, struct attempt *attempt) {
  close(attempt->fd);
  attempt->fd = -1;
  load->free_slots[load->free_count++] = (uint32_t)(attempt - load->attempts);
}

static void fail(struct load *load, struct attempt *attempt, int reason) {
  meter_errno(load->meter, reason);
  finish(load, attempt);
}

static bool is_sent(const struct load *load, const struct attempt *attempt) {
  return attempt->sent == load->exchange->question_length;
}

// Sends the part that is next. False when the attempt ended. A socket still connecting answers EAGAIN and is tried again when it
// is writable.
static bool try_send(struct load *load, struct attempt *attempt) {
  const struct exchange *exchange = load->exchange;
  size_t end = attempt->sent == 0 ? exchange->first_part : exchange->question_length;
  size_t length = end - attempt->sent;
  ssize_t sent = send(attempt->fd, exchange->question(attempt->serial) + attempt->sent, length, MSG_NOSIGNAL);
  if (sent == -1 && (errno == EAGAIN || errno == ENOTCONN)) return true;
  if (sent != (ssize_t)length) {
    fail(load, attempt, sent == -1 ? errno : EIO);
    return false;
  }
  attempt->sent = end;
  if (!is_sent(load, attempt)) load->half_sent[load->half_sent_count++] = (uint32_t)(attempt - load->attempts);
  return true;
}

static void watch(const struct load *load, int operation, const struct attempt *attempt, uint32_t events) {
  struct epoll_event event = {.events = events, .data.u32 = (uint32_t)(attempt - load->attempts)};
  if (epoll_ctl(load->epoll_fd, operation, attempt->fd, &event) == -1) die("epoll_ctl");
}

static bool start(struct load *load, uint64_t intended_ns) {
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
  watch(load, EPOLL_CTL_ADD, attempt, attempt->sent > 0 ? EPOLLIN : EPOLLIN | EPOLLOUT);
  return true;
}

static void receive(struct load *load, struct attempt *attempt) {
  const struct exchange *exchange = load->exchange;
  ssize_t got = recv(attempt->fd, attempt->answer + attempt->received, exchange->answer_length - attempt->received, 0);
  if (got == -1 && errno == EAGAIN) return;
  if (got <= 0) return fail(load, attempt, got == 0 ? 0 : errno);
  attempt->received += (uint32_t)got;
  if (attempt->received < exchange->answer_length) return;
  if (is_sent(load, attempt) && exchange->is_answer(attempt->serial, attempt->answer))
    meter_finish(load->meter, attempt->intended_ns, now_ns());
  else
    meter_error(load->meter, FAIL_WRONG_BYTES);
  finish(load, attempt);
}

static void handle(struct load *load, const struct epoll_event *event) {
  struct attempt *attempt = &load->attempts[event->data.u32];
  if (attempt->fd == -1) return;
  if (attempt->sent > 0) return receive(load, attempt);
  if (try_send(load, attempt) && attempt->sent > 0) watch(load, EPOLL_CTL_MOD, attempt, EPOLLIN);
}

static void send_second_parts(struct load *load, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    struct attempt *attempt = &load->attempts[load->half_sent[i]];
    if (attempt->fd != -1 && attempt->sent > 0 && !is_sent(load, attempt)) try_send(load, attempt);
  }
  load->half_sent_count -= count;
  memmove(load->half_sent, load->half_sent + count, load->half_sent_count * sizeof *load->half_sent);
}

static void start_due(struct load *load, uint64_t now) {
  if (load->interval_ns == 0) {
    while (load->free_count > 0 && start(load, now_ns())) continue;
    return;
  }
  while (load->next_due_ns <= now && load->free_count > 0) {
    start(load, load->next_due_ns);
    load->next_due_ns += load->interval_ns;
  }
}

static void fail_stalled(struct load *load, uint64_t now, uint64_t older_than_ns) {
  for (uint32_t slot = 0; slot < load->limit; slot++) {
    struct attempt *attempt = &load->attempts[slot];
    if (attempt->fd != -1 && attempt->intended_ns + older_than_ns < now) fail(load, attempt, EAGAIN);
  }
}

static void wait_and_handle(struct load *load, bool may_start) {
  uint64_t wait_ns = 10000000u, now = now_ns();
  if (may_start && load->interval_ns != 0 && load->free_count > 0) {
    uint64_t until_due = load->next_due_ns > now ? load->next_due_ns - now : 0;
    if (until_due < wait_ns) wait_ns = until_due;
  } else if (may_start && load->interval_ns == 0 && load->free_count > 0) {
    wait_ns = 1000000u; // a start failed at once: try again soon, but do not spin
  }
  uint32_t half_sent = load->half_sent_count;
  if (half_sent > 0 && wait_ns > second_part_ns) wait_ns = second_part_ns;
  struct timespec timeout = {0, (long)wait_ns};
  struct epoll_event events[BATCH];
  int count = epoll_pwait2(load->epoll_fd, events, BATCH, &timeout, NULL);
  // Before anything that may free a slot and begin another attempt in it.
  send_second_parts(load, half_sent);
  for (int i = 0; i < count; i++) handle(load, &events[i]);
}

static void prepare(struct load *load) {
  load->attempts = calloc(load->limit, sizeof *load->attempts);
  load->free_slots = calloc(load->limit, sizeof *load->free_slots);
  // A slot may stand here once for an attempt that failed and once for the next one.
  load->half_sent = calloc(2 * (size_t)load->limit, sizeof *load->half_sent);
  load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (load->attempts == NULL || load->free_slots == NULL || load->half_sent == NULL || load->epoll_fd == -1) die("prepare");
  for (uint32_t slot = 0; slot < load->limit; slot++) {
    load->attempts[slot].fd = -1;
    load->free_slots[load->free_count++] = slot;
  }
}

void run_exchanges(const struct options *options, struct meter *meter, const struct exchange *exchange) {
  prctl(PR_SET_TIMERSLACK, 1UL); // the default of 50 us would delay every paced start
  bool is_open_loop = options->rate > 0;
  struct load load = {.options = options,
                      .exchange = exchange,
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
  free(load.half_sent);
}
