// Which CPUs a thread may run on.
#pragma once

#include <cstdint>
#include <vector>

#include "system_error.h"

namespace edgeproxy {

// Of the calling thread, ascending; a cpuset (a container, taskset) may leave it fewer than the machine has.
SystemError AllowedCpus(std::vector<uint32_t>& cpus);

// The calling thread runs on that CPU alone from here on; threads that it starts later inherit that, others stay as they are.
// EINVAL where there is no such CPU or the cpuset does not allow it.
SystemError PinToCpu(uint32_t cpu);

}  // namespace edgeproxy
