#include "cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static uint64_t tick_us(void) { return 1000000u / (uint64_t)sysconf(_SC_CLK_TCK); }

struct pid_list pid_list_parse(const char *comma_separated) {
  struct pid_list list = {.count = 0};
  for (const char *at = comma_separated; at != NULL && *at != '\0' && list.count < CPU_MAX_PIDS;) {
    list.pids[list.count++] = (pid_t)strtol(at, NULL, 10);
    at = strchr(at, ',');
    if (at != NULL) at++;
  }
  return list;
}

// utime + stime of all threads. A process that is gone counts 0.
static uint64_t process_us(pid_t pid) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = fopen(path, "re");
  if (file == NULL) return 0;
  size_t length = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[length] = '\0';
  // The command name may hold anything: fields are counted from its closing bracket.
  char *after_name = strrchr(text, ')');
  unsigned long long user = 0, system = 0;
  if (after_name == NULL ||
      sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) != 2)
    return 0;
  return (user + system) * tick_us();
}

static uint64_t list_us(const struct pid_list *list) {
  uint64_t sum = 0;
  for (size_t i = 0; i < list->count; i++) sum += process_us(list->pids[i]);
  return sum;
}

static uint64_t own_us(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000u +
         (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

struct cpu_sample cpu_sample_now(const struct pid_list *proxy, const struct pid_list *backend, const struct pid_list *kernel) {
  unsigned long long user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0;
  FILE *file = fopen("/proc/stat", "re");
  if (file != NULL) {
    if (fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle, &iowait, &irq, &softirq,
               &steal) != 8)
      user = nice = system = idle = iowait = irq = softirq = steal = 0;
    fclose(file);
  }
  return (struct cpu_sample){
      .system_ticks_us = (user + nice + system + irq + softirq) * tick_us(),
      .system_idle_us = (idle + iowait) * tick_us(),
      .system_steal_us = steal * tick_us(),
      .proxy_us = list_us(proxy),
      .backend_us = list_us(backend),
      .client_us = own_us(),
      .kernel_us = list_us(kernel),
  };
}

struct cpu_sample cpu_sample_minus(const struct cpu_sample *end, const struct cpu_sample *start) {
  return (struct cpu_sample){
      .system_ticks_us = end->system_ticks_us - start->system_ticks_us,
      .system_idle_us = end->system_idle_us - start->system_idle_us,
      .system_steal_us = end->system_steal_us - start->system_steal_us,
      .proxy_us = end->proxy_us - start->proxy_us,
      .backend_us = end->backend_us - start->backend_us,
      .client_us = end->client_us - start->client_us,
      .kernel_us = end->kernel_us - start->kernel_us,
  };
}
