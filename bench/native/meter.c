#include "meter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "net.h"

static const char *const failure_names[FAILURE_KINDS] = {"connect", "reset", "earlyEnd", "wrongBytes", "stalled", "lost", "other"};

void meter_begin(struct meter *meter, double warmup_s, double seconds) {
  meter->phase = PHASE_WARMUP;
  meter->window_start_ns = now_ns() + (uint64_t)(warmup_s * 1e9);
  meter->window_end_ns = meter->window_start_ns + (uint64_t)(seconds * 1e9);
}

bool meter_advance(struct meter *meter, uint64_t now) {
  if (meter->phase == PHASE_WARMUP && now >= meter->window_start_ns) {
    meter->phase = PHASE_MEASURE;
    meter->cpu_at_start = cpu_sample_now(&meter->proxy, &meter->backend, &meter->kernel);
    // The window ends a full length after it really began, so that rates have the right divisor.
    meter->window_end_ns += now - meter->window_start_ns;
    meter->window_start_ns = now;
  }
  if (meter->phase == PHASE_MEASURE && now >= meter->window_end_ns) {
    struct cpu_sample end = cpu_sample_now(&meter->proxy, &meter->backend, &meter->kernel);
    meter->cpu = cpu_sample_minus(&end, &meter->cpu_at_start);
    meter->measured_ns = now - meter->window_start_ns;
    meter->phase = PHASE_DRAIN;
  }
  return meter->phase != PHASE_DRAIN;
}

void meter_finish(struct meter *meter, uint64_t intended_ns, uint64_t now) {
  if (meter->phase == PHASE_MEASURE) meter->units++;
  if (meter->phase != PHASE_WARMUP && intended_ns >= meter->window_start_ns)
    histogram_record(&meter->latency, now - intended_ns);
}

void meter_bytes(struct meter *meter, uint64_t bytes) {
  if (meter->phase == PHASE_MEASURE) meter->bytes += bytes;
}

void meter_error(struct meter *meter, enum failure failure) { meter->errors[failure]++; }

void meter_errno(struct meter *meter, int reason) {
  switch (reason) {
    case 0: return meter_error(meter, FAIL_EARLY_END);
    case EAGAIN: return meter_error(meter, FAIL_STALLED);
    case ECONNRESET:
    case EPIPE: return meter_error(meter, FAIL_RESET);
    case ECONNREFUSED:
    case EADDRNOTAVAIL:
    case ETIMEDOUT: return meter_error(meter, FAIL_CONNECT);
    default: return meter_error(meter, FAIL_OTHER);
  }
}

uint64_t meter_error_count(const struct meter *meter) {
  uint64_t sum = 0;
  for (int kind = 0; kind < FAILURE_KINDS; kind++) sum += meter->errors[kind];
  return sum;
}

void meter_print(const struct meter *meter, const char *mode) {
  const struct histogram *latency = &meter->latency;
  printf("{\"mode\":\"%s\",\"seconds\":%.6f,\"units\":%" PRIu64 ",\"bytes\":%" PRIu64, mode, (double)meter->measured_ns / 1e9,
         meter->units, meter->bytes);
  printf(",\"latencyNs\":{\"count\":%" PRIu64 ",\"p50\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"p999\":%" PRIu64 ",\"max\":%" PRIu64 "}",
         latency->total, histogram_quantile(latency, 0.5), histogram_quantile(latency, 0.99),
         histogram_quantile(latency, 0.999), latency->max);
  printf(",\"cpuUs\":{\"systemTicks\":%" PRIu64 ",\"systemIdle\":%" PRIu64 ",\"systemSteal\":%" PRIu64 ",\"proxy\":%" PRIu64
         ",\"backend\":%" PRIu64 ",\"client\":%" PRIu64 ",\"kernel\":%" PRIu64 "}",
         meter->cpu.system_ticks_us, meter->cpu.system_idle_us, meter->cpu.system_steal_us, meter->cpu.proxy_us,
         meter->cpu.backend_us, meter->cpu.client_us, meter->cpu.kernel_us);
  printf(",\"errors\":{");
  const char *separator = "";
  for (int kind = 0; kind < FAILURE_KINDS; kind++) {
    if (meter->errors[kind] == 0) continue;
    printf("%s\"%s\":%" PRIu64, separator, failure_names[kind], meter->errors[kind]);
    separator = ",";
  }
  printf("}}\n");
  fflush(stdout);
}
