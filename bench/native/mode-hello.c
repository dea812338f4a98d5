// connect + send a ClientHello, in one piece or two + read the backend's digest of it + close. The bytes come from a file, so
// that nobody computes keys: what the name costs the proxy is to show, not what TLS costs the ends.
#include <stdio.h>
#include <string.h>

#include "digest.h"
#include "exchange.h"
#include "net.h"

enum { MOST_BYTES = 16 * 1024 };

static uint8_t hello[MOST_BYTES];
static uint64_t expected;

static const uint8_t *whole_hello(uint32_t serial) {
  (void)serial;
  return hello;
}

static bool is_digest(uint32_t serial, const uint8_t *bytes) {
  (void)serial;
  return memcmp(bytes, &expected, sizeof expected) == 0;
}

static size_t read_hello(const char *path) {
  FILE *file = fopen(path, "re");
  if (file == NULL) die(path);
  size_t length = fread(hello, 1, sizeof hello, file);
  fclose(file);
  return length;
}

void run_hello(const struct options *options, struct meter *meter) {
  size_t length = read_hello(options->question);
  expected = digest_more(DIGEST_START, hello, length);
  size_t first_part = options->first_part > 0 && options->first_part < length ? options->first_part : length;
  run_exchanges(options, meter,
                &(struct exchange){.question_length = length,
                                   .first_part = first_part,
                                   .answer_length = sizeof expected,
                                   .question = whole_hello,
                                   .is_answer = is_digest});
}
