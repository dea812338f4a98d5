// Connections that ask one question and get one answer: connect, send, read, close. Closed loop (a fixed number in flight) or
// open loop (a fixed rate), in which a latency counts from the moment the connection should have started.
#pragma once
#include "client.h"

enum { MOST_ANSWER_BYTES = 64 };

struct exchange {
  size_t question_length;
  size_t first_part; // sent at once; what is left follows a turn of the loop later
  size_t answer_length;
  const uint8_t *(*question)(uint32_t serial);
  bool (*is_answer)(uint32_t serial, const uint8_t *bytes);
};

void run_exchanges(const struct options *options, struct meter *meter, const struct exchange *exchange);
