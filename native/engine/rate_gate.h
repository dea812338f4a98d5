// A look, right after accept4, at whether a client is over its rate: a flood from one address then costs an accept and a
// reset, and nobody else waits for its way through a worker.
//
// It never writes. Who passes here is still to be admitted, and paid for, by the worker's RateTable (see
// src/domain/shared/rate-table.ts), so the rate stays exact over all workers. Whom it refuses the worker would have refused
// at the same moment: a bucket only ever moves on to later times. Where it cannot tell (no bucket of that client, or one
// that is just changing hands) the client passes.
#pragma once

#include <cstdint>

#include "client_key.h"
#include "shared_layout.h"

namespace edgeproxy {

// What of RateRule (src/domain/admission/rate-rule.ts) a look needs.
struct RateRule {
  // 0 = there is no limit.
  double tick_micros = 0;
  int32_t slack_ticks = 0;
  uint32_t fingerprint = 0;

  // CLOCK_MONOTONIC on the ring of 32 bits, to the tick what RateRule.ticksAt makes of the same time.
  uint32_t TicksAt(uint64_t micros) const {
    return static_cast<uint32_t>(static_cast<uint64_t>(static_cast<double>(micros) / tick_micros));
  }
};

class RateGate {
 public:
  explicit RateGate(RegionView region);

  void Configure(const RateRule& rule) { rule_ = rule; }
  // Whether the client is over its rate now. Costs one comparison where there is no limit, else a cache line of the table.
  bool Refuses(const PeerAddress& client) const;
  bool RefusesAt(const PeerAddress& client, uint64_t now_micros) const;

 private:
  bool is_on() const { return rule_.tick_micros > 0 && sets_ != 0; }

  RegionView region_;
  uint32_t sets_;
  uint32_t seeds_[4];
  RateRule rule_;
};

}  // namespace edgeproxy
