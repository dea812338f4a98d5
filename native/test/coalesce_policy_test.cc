#include "coalesce_policy.h"

#include "check.h"

namespace edgeproxy::test {

namespace {

constexpr uint64_t kWindow = CoalescePolicy::kWindowNs;

CoalescePolicy BusyPolicy(uint64_t now_ns) {
  CoalescePolicy policy;
  policy.NoteAccepted(now_ns, CoalescePolicy::kBusyConnections);
  return policy;
}

}  // namespace

TEST(IdleNothingWaits, "below the threshold nothing waits, however long it goes on") {
  CoalescePolicy policy;
  for (uint64_t window = 1; window < 100; window++) {
    CHECK(!policy.ShouldGather(window * kWindow));
    policy.NoteAccepted(window * kWindow, CoalescePolicy::kBusyConnections - 1);
  }
}

TEST(UnderLoadTheyGather, "from the threshold on connections gather, also across the border of two windows") {
  CoalescePolicy policy = BusyPolicy(5 * kWindow);
  CHECK(policy.ShouldGather(5 * kWindow + 1));
  CHECK(policy.ShouldGather(6 * kWindow));
}

TEST(AfterLoadNothingWaits, "two windows later the load is forgotten") {
  CoalescePolicy policy = BusyPolicy(5 * kWindow);
  CHECK(!policy.ShouldGather(7 * kWindow));
}

TEST(BacksOffWhereItDoesNotPay, "where waits gather nothing, more and more rounds go without one, until one pays") {
  CoalescePolicy policy = BusyPolicy(kWindow);
  for (const uint32_t without : {1u, 2u, 4u, 8u, 16u, 32u, 32u}) {
    CHECK(policy.ShouldGather(kWindow));
    policy.NoteGathered(2, 2);
    for (uint32_t round = 0; round < without; round++) CHECK(!policy.ShouldGather(kWindow));
  }
  CHECK(policy.ShouldGather(kWindow));
  policy.NoteGathered(3, 2);
  CHECK(policy.ShouldGather(kWindow));
  policy.NoteGathered(1, 1);
  CHECK(!policy.ShouldGather(kWindow));
  CHECK(policy.ShouldGather(kWindow));
}

}  // namespace edgeproxy::test
