#include "cpu_affinity.h"

#include <sched.h>

#include <cerrno>
#include <vector>

#include "check.h"

namespace edgeproxy::test {

TEST(PinsTheThread, "a thread that is pinned may run on that CPU alone") {
  std::vector<uint32_t> cpus;
  CHECK(!AllowedCpus(cpus).is_set());
  CHECK(!cpus.empty());
  const uint32_t last = cpus.back();
  CHECK(!PinToCpu(last).is_set());
  CHECK(!AllowedCpus(cpus).is_set());
  CHECK(cpus == std::vector<uint32_t>{last});
  CHECK_EQ(::sched_getcpu(), last);
}

TEST(RefusesOtherCpus, "a CPU that is not there is an error and changes nothing") {
  std::vector<uint32_t> before;
  CHECK(!AllowedCpus(before).is_set());
  CHECK_EQ(PinToCpu(16383).code, EINVAL);
  CHECK_EQ(PinToCpu(1u << 31).code, EINVAL);
  std::vector<uint32_t> after;
  CHECK(!AllowedCpus(after).is_set());
  CHECK(after == before);
}

}  // namespace edgeproxy::test
