#pragma once

#include "connection_limits.h"

namespace edgeproxy::test {

// The same for each listener.
inline ConnectionLimits LimitsOf(int32_t total, int32_t per_listener) {
  ConnectionLimits limits{.total = total};
  limits.at.fill(per_listener);
  return limits;
}

}  // namespace edgeproxy::test
