// How long connecting takes: what an average makes of its measures, and who measures.
#include "connect_time.h"

#include "monotonic_us.h"
#include "pool_world.h"

namespace edgeproxy::test {

TEST(TakesTheFirst, "the first measure is the average, and never 0, which means none") {
  CHECK_EQ(NextConnectMicros(0, 500), 500);
  CHECK_EQ(NextConnectMicros(0, 0), 1);
  CHECK_EQ(NextConnectMicros(0, UINT64_MAX), INT32_MAX);
  CHECK_EQ(NextConnectMicros(1, 0), 1);
}

TEST(FallsQuickly, "it falls by half of the difference and rises by an eighth, at most of itself, and gets there") {
  CHECK_EQ(NextConnectMicros(1000, 200), 600);
  CHECK_EQ(NextConnectMicros(1000, 1800), 1100);
  CHECK_EQ(NextConnectMicros(1000, 3'000'000), 1125);
  uint32_t average = 1000;
  for (int i = 0; i < 20; i++) average = NextConnectMicros(average, 7);
  CHECK_EQ(average, 7);
  for (int i = 0; i < 200; i++) average = NextConnectMicros(average, 1000);
  CHECK_EQ(average, 1000);
  for (int i = 0; i < 300; i++) average = NextConnectMicros(average, UINT64_MAX);
  CHECK(average <= INT32_MAX);
}

TEST(MeasuresAConnect, "of a client's connect the time is kept, of one that fails or is given up none") {
  RelayRig rig;
  const Backend backend;
  rig.ports[0] = DeadPort();
  rig.ports[2] = backend.port;
  const uint64_t start_us = MonotonicUs();
  const UniqueFd client = rig.Admit();
  const UniqueFd upstream = AcceptThrough(rig, backend);
  Send(client, "hello");
  Expect(rig, upstream, "hello");
  CHECK_EQ(rig.backend(0).connect_micros, 0);
  CHECK(rig.backend(2).connect_micros > 0);
  CHECK(rig.backend(2).connect_micros <= MonotonicUs() - start_us);
}

TEST(MeasuresWhatIsOpenedAhead, "a warm connection measures when it is opened, not when a client takes it") {
  World world(PoolOf(1));
  const UniqueFd ahead = world.Start();
  // What the next client could add is far more than what one connect makes of it.
  world.rig.backend(0).connect_micros = 1'000'000;
  const UniqueFd client = world.rig.Admit();
  Send(client, "hello");
  Expect(world.rig, ahead, "hello");
  CHECK_EQ(world.taken(), 1);
  const UniqueFd next = AcceptThrough(world.rig, world.backend);
  world.rig.Until([&] { return world.warm() == 1; });
  CHECK(world.rig.backend(0).connect_micros < 1'000'000);
}

}  // namespace edgeproxy::test
