// connect + send 64 B + read the same 64 B + close.
#include "exchange.h"
#include "pattern.h"

enum { MESSAGE = 64 };

static const uint8_t *message(uint32_t serial) { return pattern_at(serial); }

static bool is_message(uint32_t serial, const uint8_t *bytes) { return pattern_matches(serial, bytes, MESSAGE); }

void run_connect(const struct options *options, struct meter *meter) {
  run_exchanges(options, meter,
                &(struct exchange){.question_length = MESSAGE,
                                   .first_part = MESSAGE,
                                   .answer_length = MESSAGE,
                                   .question = message,
                                   .is_answer = is_message});
}
