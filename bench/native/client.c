// The load generator: one mode, one thread, one line of JSON.
#include "client.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "net.h"
#include "pattern.h"

static const struct {
  const char *name;
  void (*run)(const struct options *options, struct meter *meter);
} modes[] = {
    {"connect", run_connect}, {"echo", run_echo}, {"trickle", run_trickle},    {"download", run_download},
    {"upload", run_upload},   {"idle", run_idle}, {"ttfb", run_first_byte},    {"wwr", run_write_write_read},
    {"hello", run_hello},     {"datagram", run_datagram},
};

static const struct option long_options[] = {
    {"mode", required_argument, NULL, 'm'},        {"port", required_argument, NULL, 'p'},
    {"seconds", required_argument, NULL, 's'},     {"warmup", required_argument, NULL, 'w'},
    {"connections", required_argument, NULL, 'c'}, {"size", required_argument, NULL, 'z'},
    {"rate", required_argument, NULL, 'r'},        {"sources", required_argument, NULL, 'o'},
    {"proxy-pids", required_argument, NULL, 'P'},  {"backend-pids", required_argument, NULL, 'B'},
    {"kernel-pids", required_argument, NULL, 'K'}, {"nagle", no_argument, NULL, 'n'},
    {"question", required_argument, NULL, 'q'},    {"first-part", required_argument, NULL, 'f'},
    {"window", required_argument, NULL, 'W'},      {NULL, 0, NULL, 0},
};

static void parse(int argc, char **argv, struct options *options, struct meter *meter) {
  for (int letter; (letter = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
    switch (letter) {
      case 'm': options->mode = optarg; break;
      case 'p': options->port = (uint16_t)strtoul(optarg, NULL, 10); break;
      case 's': options->seconds = strtod(optarg, NULL); break;
      case 'w': options->warmup_s = strtod(optarg, NULL); break;
      case 'c': options->connections = (uint32_t)strtoul(optarg, NULL, 10); break;
      case 'z': options->size = strtoul(optarg, NULL, 10); break;
      case 'r': options->rate = strtod(optarg, NULL); break;
      case 'o': options->sources = (uint32_t)strtoul(optarg, NULL, 10); break;
      case 'q': options->question = optarg; break;
      case 'f': options->first_part = strtoul(optarg, NULL, 10); break;
      case 'W': options->window = (uint32_t)strtoul(optarg, NULL, 10); break;
      case 'P': meter->proxy = pid_list_parse(optarg); break;
      case 'B': meter->backend = pid_list_parse(optarg); break;
      case 'K': meter->kernel = pid_list_parse(optarg); break;
      case 'n': options->nagle = true; break;
      default: exit(2);
    }
  }
  bool is_valid = options->port != 0 && options->connections > 0 && options->sources > 0 && options->size > 0 &&
                  options->size <= PATTERN_CHUNK && options->seconds > 0;
  if (!is_valid) {
    fprintf(stderr, "client: --mode and --port are needed; sizes and counts must be positive\n");
    exit(2);
  }
}

static void raise_file_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == -1) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv) {
  static struct meter meter;
  struct options options = {
      .mode = "", .seconds = 1.5, .warmup_s = 0.2, .connections = 64, .sources = 262144, .size = 64, .window = 1, .question = ""};
  parse(argc, argv, &options, &meter);
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, SIGKILL); // never outlives a killed runner
  raise_file_limit();
  pattern_init();
  for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
    if (strcmp(options.mode, modes[i].name) != 0) continue;
    modes[i].run(&options, &meter);
    meter_print(&meter, options.mode);
    return 0;
  }
  fprintf(stderr, "client: unknown mode '%s'\n", options.mode);
  return 2;
}
