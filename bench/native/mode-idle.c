// Opens connections and holds them until standard input ends or SIGTERM comes; then proves that they still work.
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "client.h"
#include "net.h"

enum { PROVE_EVERY = 50 };

static volatile sig_atomic_t is_told;

static void on_signal(int number) {
  (void)number;
  is_told = 1;
}

static void wait_until_told(void) {
  struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
  while (!is_told && poll(&input, 1, 1000) <= 0) continue;
}

void run_idle(const struct options *options, struct meter *meter) {
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGTERM, &action, NULL);
  meter_begin(meter, 0, 3600);
  uint64_t started_ns = now_ns();
  meter_advance(meter, started_ns);
  int *fds = open_connections(options, meter, true);
  uint32_t open = 0;
  for (uint32_t i = 0; i < options->connections; i++) open += fds[i] != -1;
  printf("{\"event\":\"ready\",\"open\":%u,\"seconds\":%.6f}\n", open, (double)(now_ns() - started_ns) / 1e9);
  fflush(stdout);
  wait_until_told();
  for (uint32_t i = 0; i < options->connections; i += PROVE_EVERY)
    if (fds[i] != -1) prove_echo(fds[i], i, meter);
  meter->units = open;
  close_connections(fds, options->connections);
}
