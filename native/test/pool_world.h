// A relay with a pool, one backend and a first client, for tests of what is opened ahead.
#pragma once

#include <vector>

#include "relay_peers.h"

namespace edgeproxy::test {

inline RelayOptions PoolOf(uint32_t max_per_backend) {
  RelayOptions options;
  options.pool.max_per_backend = max_per_backend;
  options.pool.max_connections = 100;
  return options;
}

struct World {
  explicit World(const RelayOptions& options) : rig(options) { rig.ports[0] = backend.port; }

  int warm() { return rig.block().warm_connections; }
  uint64_t taken() { return rig.block().warm_taken; }
  uint64_t missed() { return rig.block().warm_missed; }
  uint32_t errors(BackendError kind) { return rig.row(0).errors[static_cast<size_t>(kind)]; }

  // The first client, which finds none, and the connection that is opened ahead for the next one.
  UniqueFd Start() {
    first = Relayed(rig, backend);
    UniqueFd ahead = AcceptThrough(rig, backend);
    rig.Until([&] { return warm() == 1; });
    return ahead;
  }
  // How many connections come while the relay is driven for that long.
  size_t AcceptFor(int64_t ms, std::vector<UniqueFd>* keep = nullptr) {
    size_t count = 0;
    for (const int64_t end_ms = NowMs() + ms; NowMs() < end_ms; rig.Step(10)) {
      for (UniqueFd one; (one = backend.TryAccept()).is_open(); count++) {
        if (keep != nullptr) keep->push_back(std::move(one));
      }
    }
    return count;
  }

  RelayRig rig;
  Backend backend;
  Pair first;
};

}  // namespace edgeproxy::test
