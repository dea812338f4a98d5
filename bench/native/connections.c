// Long-lived connections for the modes that hold them.
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "client.h"
#include "net.h"
#include "pattern.h"

static bool send_proof(int fd, uint32_t serial, struct meter *meter) {
  if (net_send_all(fd, pattern_at(serial), PROOF_BYTES)) return true;
  meter_errno(meter, errno);
  return false;
}

static bool receive_proof(int fd, uint32_t serial, struct meter *meter) {
  uint8_t reply[PROOF_BYTES];
  if (!net_receive_all(fd, reply, sizeof reply)) {
    meter_errno(meter, errno);
    return false;
  }
  if (pattern_matches(serial, reply, sizeof reply)) return true;
  meter_error(meter, FAIL_WRONG_BYTES);
  return false;
}

bool prove_echo(int fd, uint32_t serial, struct meter *meter) {
  return send_proof(fd, serial, meter) && receive_proof(fd, serial, meter);
}

static void drop(int *fd) {
  if (*fd != -1) close(*fd);
  *fd = -1;
}

// connect() returns when the kernel has queued the connection, so a batch arrives at the proxy as a burst.
static void open_batch(const struct options *options, struct meter *meter, bool with_echo, int *fds, uint32_t first,
                       uint32_t end) {
  for (uint32_t i = first; i < end; i++) {
    fds[i] = net_connect(options->port, i, options->sources, true);
    if (fds[i] == -1) {
      meter_errno(meter, errno);
      continue;
    }
    net_nodelay(fds[i]);
    if (with_echo && !send_proof(fds[i], i, meter)) drop(&fds[i]);
  }
  for (uint32_t i = first; with_echo && i < end; i++)
    if (fds[i] != -1 && !receive_proof(fds[i], i, meter)) drop(&fds[i]);
}

int *open_connections(const struct options *options, struct meter *meter, bool with_echo) {
  int *fds = calloc(options->connections, sizeof *fds);
  if (fds == NULL) die("calloc");
  for (uint32_t first = 0; first < options->connections; first += OPEN_BATCH) {
    uint32_t end = first + OPEN_BATCH < options->connections ? first + OPEN_BATCH : options->connections;
    open_batch(options, meter, with_echo, fds, first, end);
  }
  return fds;
}

void close_connections(int *fds, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    if (fds[i] != -1) close(fds[i]);
  free(fds);
}
