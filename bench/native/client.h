// The modes of the load generator. Each runs on one thread, fills the meter and prints it.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "meter.h"

struct options {
  const char *mode;
  uint16_t port;
  double seconds, warmup_s;
  uint32_t connections;
  uint32_t sources;
  size_t size;
  double rate; // per second; 0 = closed loop
  bool nagle;
  const char *question; // file
  size_t first_part;    // bytes of it that are sent at once; 0 = all
  uint32_t window;      // datagrams under way for each client
};

void run_connect(const struct options *options, struct meter *meter);
void run_hello(const struct options *options, struct meter *meter);
void run_datagram(const struct options *options, struct meter *meter);
void run_echo(const struct options *options, struct meter *meter);
void run_trickle(const struct options *options, struct meter *meter);
void run_download(const struct options *options, struct meter *meter);
void run_upload(const struct options *options, struct meter *meter);
void run_idle(const struct options *options, struct meter *meter);
void run_first_byte(const struct options *options, struct meter *meter);
void run_write_write_read(const struct options *options, struct meter *meter);

// Opens options->connections blocking connections, OPEN_BATCH at a time, and proves each with one 64-byte echo when
// `with_echo`. Returns the descriptors (to be freed); a connection that failed is -1 and counted.
enum { OPEN_BATCH = 64, PROOF_BYTES = 64 };
int *open_connections(const struct options *options, struct meter *meter, bool with_echo);
// One blocking echo of PROOF_BYTES; counts what goes wrong.
bool prove_echo(int fd, uint32_t serial, struct meter *meter);
void close_connections(int *fds, uint32_t count);
