// One connection after the other at a low rate, for latencies without queueing: the time to the first byte where the
// backend speaks first, and a client that writes three times before it reads.
#include <errno.h>
#include <unistd.h>

#include "client.h"
#include "net.h"
#include "pattern.h"

enum { BANNER_BYTES = 64, PARTS = 3, PART_BYTES = 16, GAP_NS = 1000000 };

typedef bool exchange(int fd, struct meter *meter, uint64_t started_ns);

static bool receive_rest(int fd, struct meter *meter, uint8_t *bytes, size_t already, size_t length) {
  if (!net_receive_all(fd, bytes + already, length - already)) {
    meter_errno(meter, errno);
    return false;
  }
  if (pattern_matches(0, bytes, length)) return true;
  meter_error(meter, FAIL_WRONG_BYTES);
  return false;
}

static bool read_banner(int fd, struct meter *meter, uint64_t started_ns) {
  uint8_t banner[BANNER_BYTES];
  if (!net_receive_all(fd, banner, 1)) {
    meter_errno(meter, errno);
    return false;
  }
  uint64_t first_byte_ns = now_ns();
  if (!receive_rest(fd, meter, banner, 1, sizeof banner)) return false;
  meter_finish(meter, started_ns, first_byte_ns);
  return true;
}

static bool write_write_write_read(int fd, struct meter *meter, uint64_t started_ns) {
  uint8_t reply[PARTS * PART_BYTES];
  for (int part = 0; part < PARTS; part++) {
    if (net_send_all(fd, pattern_at((uint64_t)part * PART_BYTES), PART_BYTES)) continue;
    meter_errno(meter, errno);
    return false;
  }
  if (!receive_rest(fd, meter, reply, 0, sizeof reply)) return false;
  meter_finish(meter, started_ns, now_ns());
  return true;
}

static void run(const struct options *options, struct meter *meter, exchange *exchange) {
  meter_begin(meter, options->warmup_s, options->seconds);
  for (uint32_t serial = 0; meter_advance(meter, now_ns()); serial++) {
    uint64_t started_ns = now_ns();
    int fd = net_connect(options->port, serial, options->sources, true);
    if (fd == -1) {
      meter_errno(meter, errno);
    } else {
      if (!options->nagle) net_nodelay(fd);
      exchange(fd, meter, started_ns);
      close(fd);
    }
    sleep_until_ns(now_ns() + GAP_NS);
  }
}

void run_first_byte(const struct options *options, struct meter *meter) { run(options, meter, read_banner); }

void run_write_write_read(const struct options *options, struct meter *meter) {
  run(options, meter, write_write_write_read);
}
