// What every mode of the client measures: a warm-up, then a window in which units, latencies and CPU time are counted,
// then a short drain in which requests begun inside the window may still end (or a stuck proxy would look fast).
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "cpu.h"
#include "histogram.h"

enum failure { FAIL_CONNECT, FAIL_RESET, FAIL_EARLY_END, FAIL_WRONG_BYTES, FAIL_STALLED, FAIL_LOST, FAIL_OTHER, FAILURE_KINDS };

enum phase { PHASE_WARMUP, PHASE_MEASURE, PHASE_DRAIN };

struct meter {
  enum phase phase;
  uint64_t window_start_ns, window_end_ns;
  uint64_t units;
  uint64_t bytes;
  uint64_t errors[FAILURE_KINDS];
  struct histogram latency;
  struct pid_list proxy, backend, kernel;
  struct cpu_sample cpu_at_start, cpu;
  uint64_t measured_ns;
};

void meter_begin(struct meter *meter, double warmup_s, double seconds);
// Moves to the phase that the clock says; true while new work may start (not in the drain).
bool meter_advance(struct meter *meter, uint64_t now);
// One finished unit. `intended_ns` is when it should have started: a late start is the proxy's latency too.
void meter_finish(struct meter *meter, uint64_t intended_ns, uint64_t now);
void meter_bytes(struct meter *meter, uint64_t bytes);
void meter_error(struct meter *meter, enum failure failure);
// An error by errno; 0 stands for an early end of stream.
void meter_errno(struct meter *meter, int reason);
uint64_t meter_error_count(const struct meter *meter);
// One line of JSON on stdout.
void meter_print(const struct meter *meter, const char *mode);
