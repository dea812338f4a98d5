// Bulk transfer on a few connections: the backend sends for ever (download) or counts what it gets (upload).
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "net.h"
#include "pattern.h"

enum { BATCH = 64 };

struct transfer {
  int fd;
  uint64_t offset; // bytes moved so far = position in the pattern
};

// Moves some bytes on a ready connection; returns what recv or send returned.
typedef ssize_t mover(struct transfer *transfer, struct meter *meter);

static ssize_t move_down(struct transfer *transfer, struct meter *meter) {
  static uint8_t buffer[PATTERN_CHUNK];
  ssize_t got = recv(transfer->fd, buffer, sizeof buffer, 0);
  if (got > 0 && !pattern_matches(transfer->offset, buffer, (size_t)got)) meter_error(meter, FAIL_WRONG_BYTES);
  return got;
}

static ssize_t move_up(struct transfer *transfer, struct meter *meter) {
  (void)meter;
  return send(transfer->fd, pattern_at(transfer->offset), PATTERN_CHUNK, MSG_NOSIGNAL);
}

static uint32_t step(struct transfer *transfer, struct meter *meter, mover *move) {
  ssize_t moved = move(transfer, meter);
  if (moved == -1 && errno == EAGAIN) return 0;
  if (moved <= 0) {
    meter_errno(meter, moved == 0 ? 0 : errno);
    close(transfer->fd);
    transfer->fd = -1;
    return 1;
  }
  transfer->offset += (uint64_t)moved;
  meter_bytes(meter, (uint64_t)moved);
  return 0;
}

static void loop(const struct options *options, struct meter *meter, struct transfer *transfers, uint32_t events_wanted,
                 mover *move) {
  int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  uint32_t open = 0;
  for (uint32_t i = 0; i < options->connections; i++) {
    if (transfers[i].fd == -1) continue;
    open++;
    net_set_blocking(transfers[i].fd, false);
    struct epoll_event event = {.events = events_wanted, .data.ptr = &transfers[i]};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, transfers[i].fd, &event) == -1) die("epoll_ctl");
  }
  struct epoll_event events[BATCH];
  while (open > 0 && meter_advance(meter, now_ns())) {
    int count = epoll_wait(epoll_fd, events, BATCH, 100);
    for (int i = 0; i < count; i++) open -= step(events[i].data.ptr, meter, move);
  }
  close(epoll_fd);
}

// The sink answers the end of the stream with how much it got and how often the bytes were wrong.
static void check_sink(struct transfer *transfer, struct meter *meter) {
  net_set_blocking(transfer->fd, true);
  if (shutdown(transfer->fd, SHUT_WR) == -1) return meter_errno(meter, errno);
  uint64_t receipt[2];
  if (!net_receive_all(transfer->fd, receipt, sizeof receipt)) return meter_errno(meter, errno);
  if (receipt[0] != transfer->offset || receipt[1] != 0) meter_error(meter, FAIL_WRONG_BYTES);
}

static void run(const struct options *options, struct meter *meter, uint32_t events_wanted, mover *move) {
  int *fds = open_connections(options, meter, false);
  struct transfer *transfers = calloc(options->connections, sizeof *transfers);
  if (transfers == NULL) die("calloc");
  for (uint32_t i = 0; i < options->connections; i++) transfers[i].fd = fds[i];
  meter_begin(meter, options->warmup_s, options->seconds);
  loop(options, meter, transfers, events_wanted, move);
  for (uint32_t i = 0; i < options->connections; i++) {
    if (move == move_up && transfers[i].fd != -1) check_sink(&transfers[i], meter);
    fds[i] = transfers[i].fd;
    if (transfers[i].offset == 0) meter_error(meter, FAIL_STALLED);
  }
  close_connections(fds, options->connections);
  free(transfers);
}

void run_download(const struct options *options, struct meter *meter) { run(options, meter, EPOLLIN, move_down); }

void run_upload(const struct options *options, struct meter *meter) { run(options, meter, EPOLLOUT, move_up); }
