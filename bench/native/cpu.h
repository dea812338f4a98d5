// CPU time of the machine and of given processes, read from /proc.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { CPU_MAX_PIDS = 64 };

struct pid_list {
  pid_t pids[CPU_MAX_PIDS];
  size_t count;
};

struct cpu_sample {
  uint64_t system_ticks_us; // user + nice + system + irq + softirq of all CPUs, sampled by the tick
  uint64_t system_idle_us;  // idle + iowait, which the kernel measures by the clock
  uint64_t system_steal_us; // taken by the hypervisor
  uint64_t proxy_us;        // utime + stime of the given processes
  uint64_t backend_us;
  uint64_t client_us;
  uint64_t kernel_us;       // of the kernel threads that were named (ksoftirqd)
};

struct pid_list pid_list_parse(const char *comma_separated);
struct cpu_sample cpu_sample_now(const struct pid_list *proxy, const struct pid_list *backend, const struct pid_list *kernel);
struct cpu_sample cpu_sample_minus(const struct cpu_sample *end, const struct cpu_sample *start);
