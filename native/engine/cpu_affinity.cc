#include "cpu_affinity.h"

#include <sched.h>

#include <cerrno>
#include <memory>

namespace edgeproxy {

namespace {
// The kernel refuses a mask that is smaller than its own, whose size it does not tell: more than any machine has.
constexpr size_t kMostCpus = 16384;
constexpr size_t kMaskBytes = CPU_ALLOC_SIZE(kMostCpus);

struct FreeMask {
  void operator()(cpu_set_t* mask) const { CPU_FREE(mask); }
};
using Mask = std::unique_ptr<cpu_set_t, FreeMask>;

Mask EmptyMask() {
  Mask mask(CPU_ALLOC(kMostCpus));
  if (mask) CPU_ZERO_S(kMaskBytes, mask.get());
  return mask;
}
}  // namespace

SystemError AllowedCpus(std::vector<uint32_t>& cpus) {
  const Mask mask = EmptyMask();
  if (!mask) return {ENOMEM, "sched_getaffinity"};
  if (::sched_getaffinity(0, kMaskBytes, mask.get()) == -1) return SystemError::Last("sched_getaffinity");
  cpus.clear();
  for (uint32_t cpu = 0; cpu < kMostCpus; cpu++) {
    if (CPU_ISSET_S(cpu, kMaskBytes, mask.get())) cpus.push_back(cpu);
  }
  return {};
}

SystemError PinToCpu(uint32_t cpu) {
  if (cpu >= kMostCpus) return {EINVAL, "sched_setaffinity"};
  const Mask mask = EmptyMask();
  if (!mask) return {ENOMEM, "sched_setaffinity"};
  CPU_SET_S(cpu, kMaskBytes, mask.get());
  return ::sched_setaffinity(0, kMaskBytes, mask.get()) == -1 ? SystemError::Last("sched_setaffinity") : SystemError{};
}

}  // namespace edgeproxy
