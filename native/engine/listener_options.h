// What differs between listeners: limits, timeouts, and what route() wants to know of their clients.
#pragma once

#include <array>
#include <cstdint>

#include "shared_layout.h"

namespace edgeproxy {

// Milliseconds and counts, 0 = off.
struct ListenerSettings {
  uint64_t connect_timeout_ms = 5'000;
  uint64_t connect_total_timeout_ms = 0;
  uint64_t idle_timeout_ms = 3'600'000;
  uint64_t half_close_timeout_ms = 30'000;
  uint64_t max_lifetime_ms = 0;
  uint64_t hello_timeout_ms = 5'000;
  // Of a UDP session whose backend has said nothing yet: most datagrams that nobody answers have a forged source.
  uint64_t unanswered_timeout_ms = 10'000;
  // Over all workers.
  uint32_t max_connections = 0;
  uint32_t max_sessions_per_client = 0;
  // kListenerDestination, kListenerHello.
  uint32_t flags = 0;

  bool Has(uint32_t flag) const { return (flags & flag) != 0; }
};

class ListenerOptions {
 public:
  // Numbers that JavaScript has set for all of them: kListenerWords each, see LISTENER in layout.ts.
  using Words = std::array<double, size_t{kMaxListeners} * kListenerWords>;

  // What is no whole number of milliseconds is cut; what is none at all counts as 0, what is beyond all reason as the most.
  static ListenerOptions Of(const Words& words);

  // An id that no listener can have gets the settings of the first.
  const ListenerSettings& Get(uint32_t id) const { return listeners_[id < kMaxListeners ? id : 0]; }
  ListenerSettings& Edit(uint32_t id) { return listeners_[id < kMaxListeners ? id : 0]; }

 private:
  std::array<ListenerSettings, kMaxListeners> listeners_{};
};

}  // namespace edgeproxy
