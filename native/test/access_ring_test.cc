// The ring between who writes the records of the access log and who reads them.
#include "access_region.h"

namespace edgeproxy::test {

namespace {
void Write(AccessRegion& region, uint32_t port, const std::string& name = "", uint32_t flags = 0) {
  AccessRecord record;
  record.port = port;
  record.flags = flags;
  record.name_length = static_cast<uint32_t>(name.size());
  region.ring().Write(record, name.data());
}
}  // namespace

TEST(KeepsOrder, "records and names of every length come out as they went in, many times around the ring") {
  AccessRegion region(16);
  uint32_t next = 0;
  for (size_t length = 0; length <= 600; length += 7) {
    const std::string name(length, static_cast<char>('a' + length % 26));
    Write(region, next, name);
    Write(region, next + 1);
    const auto taken = region.Take();
    CHECK_EQ(taken.size(), 2);
    CHECK_EQ(taken[0].record.port, next);
    CHECK(taken[0].name == name);
    CHECK_EQ(taken[1].record.port, next + 1);
    next += 2;
  }
  CHECK_EQ(region.first().dropped, 0);
}

TEST(GoesOnAfterTheLastNumber, "positions wrap at 32 bits without a gap") {
  AccessRegion region(8);
  region.first().head = region.first().tail = UINT32_MAX - 2;
  for (uint32_t i = 0; i < 8; i++) Write(region, i);
  const auto taken = region.Take();
  CHECK_EQ(taken.size(), 8);
  for (uint32_t i = 0; i < 8; i++) CHECK_EQ(taken[i].record.port, i);
}

TEST(DropsAndCounts, "what has no room is dropped whole and counted, what is there stays, and there is room again after a reader") {
  AccessRegion region(8);
  for (uint32_t i = 0; i < 10; i++) Write(region, i);
  CHECK_EQ(region.first().dropped, 2);
  const auto taken = region.Take();
  CHECK_EQ(taken.size(), 8);
  CHECK_EQ(taken[7].record.port, 7);

  for (uint32_t i = 0; i < 6; i++) Write(region, i);
  Write(region, 100, std::string(200, 'x'));
  CHECK_EQ(region.first().dropped, 3);
  Write(region, 101, std::string(100, 'x'));
  CHECK_EQ(region.Take().back().name.size(), 100);
}

TEST(LeavesRoomForEnds, "rejections fill half of a ring, and connections that end have all that is left") {
  AccessRegion region(8);
  for (uint32_t i = 0; i < 10; i++) Write(region, i, "", kAccessRejected);
  CHECK_EQ(region.first().dropped, 6);
  for (uint32_t i = 10; i < 14; i++) Write(region, i, "", i == 10 ? kAccessUdp : kAccessClientFirst);
  CHECK_EQ(region.first().dropped, 6);
  Write(region, 14, "", kAccessRejected);
  Write(region, 15);
  CHECK_EQ(region.first().dropped, 8);
  const auto taken = region.Take();
  CHECK_EQ(taken.size(), 8);
  CHECK_EQ(taken[3].record.port, 3);
  CHECK_EQ(taken[7].record.port, 13);
  for (uint32_t i = 0; i < 4; i++) Write(region, i);
  Write(region, 4, "", kAccessRejected);
  CHECK_EQ(region.first().dropped, 9);
}

TEST(TrustsNoTail, "a tail that cannot be drops records and touches nothing else") {
  AccessRegion region(8);
  for (const uint32_t tail : {1u, 9u, 0x8000'0000u, UINT32_MAX - 8}) {
    region.first().tail = tail;
    Write(region, 1);
  }
  CHECK_EQ(region.first().head, 0);
  CHECK_EQ(region.first().dropped, 4);
}

TEST(TakesNoOtherMemory, "a ring that is not in the region is never enabled") {
  AccessRegion region(8, 2);
  CHECK(region.ring(1).IsEnabled());
  CHECK(!region.ring(2).IsEnabled());
  CHECK(!AccessRing(region.data(), region.bytes() - 1, 0).IsEnabled());
  CHECK(!AccessRing(region.data(), 8, 0).IsEnabled());
  CHECK(!AccessRing().IsEnabled());
  for (const uint32_t units : {0u, 7u, 16u, 0x8000'0000u}) {
    region.header().units = units;
    CHECK(!region.ring(0).IsEnabled());
  }
}

TEST(CanBeSwitchedOff, "it is on while the region says so") {
  AccessRegion region;
  const AccessRing ring = region.ring();
  region.header().is_enabled = 0;
  CHECK(!ring.IsEnabled());
  region.header().is_enabled = 1;
  CHECK(ring.IsEnabled());
}

}  // namespace edgeproxy::test
