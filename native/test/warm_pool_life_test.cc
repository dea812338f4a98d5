// How long connections that were opened ahead live, and which backends are left alone, as seen through the relay.
#include "warm_pool.h"

#include <vector>

#include "pool_world.h"

namespace edgeproxy::test {

namespace {
constexpr int kQuietMs = 300;
}  // namespace

TEST(ClosesTheSurplus, "what nobody takes is closed after the idle timeout, and none is opened in its place") {
  RelayOptions options = PoolOf(10);
  options.pool.idle_timeout_ms = 1'000;
  World world(options);
  const std::vector<UniqueFd> clients = world.rig.AdmitTogether(4);
  world.rig.Until([&] { return world.warm() == 4; });
  world.rig.Until([&] { return world.warm() == 0; });
  world.AcceptFor(kQuietMs);
  CHECK_EQ(world.warm(), 0);
  CHECK_EQ(world.rig.relay().connection_count(), 4);
  // The next client begins anew.
  const UniqueFd client = world.rig.Admit();
  world.rig.Until([&] { return world.warm() == 1; });
}

TEST(RenewsTheOld, "a connection at its age limit is replaced while there are clients") {
  RelayOptions options = PoolOf(1);
  options.pool.max_lifetime_ms = 100;
  World world(options);
  const UniqueFd ahead = world.Start();
  Expect(world.rig, ahead, "(end)");
  const UniqueFd second = AcceptThrough(world.rig, world.backend);
  Expect(world.rig, second, "(end)");
  CHECK_EQ(world.taken(), 0);
  CHECK_EQ(world.errors(BackendError::kOther), 0);
}

TEST(LeavesADeadBackendAlone, "failed connects are counted, and tried again ever more rarely") {
  World world(PoolOf(10));
  world.first = Relayed(world.rig, world.backend);
  const UniqueFd ahead = AcceptThrough(world.rig, world.backend);
  world.rig.Until([&] { return world.warm() == 1; });
  world.backend.StopListening();
  const UniqueFd client = world.rig.Admit();
  world.rig.Until([&] { return world.errors(BackendError::kRefused) >= 2; });
  for (const int64_t end_ms = NowMs() + 1'000; NowMs() < end_ms;) world.rig.Step(10);
  // After 100, 300, 700 and 1,500 ms, and less often where the machine is busy.
  CHECK_OP(world.errors(BackendError::kRefused), <=, 6);
}

TEST(BoundsAConnect, "a connect that is not answered is a timeout, and later ones are tried one at a time") {
  RelayOptions options = PoolOf(10);
  options.pool.connect_timeout_ms = 60;
  World world(options);
  world.first = Relayed(world.rig, world.backend);
  const UniqueFd ahead = AcceptThrough(world.rig, world.backend);
  world.rig.Until([&] { return world.warm() == 1; });
  const Blackhole dead;
  world.rig.ports[0] = dead.port;
  const UniqueFd client = world.rig.Admit();
  world.rig.Until([&] { return world.errors(BackendError::kTimeout) >= 2; });
}

TEST(IsNoStorm, "a backend that closes each connection at once is tried ever more rarely") {
  World world(PoolOf(10));
  world.first = Relayed(world.rig, world.backend);
  CHECK_OP(world.AcceptFor(1'500), <=, 6);
  CHECK_EQ(world.errors(BackendError::kReset), 0);
}

TEST(CostsOneConnectPerRest, "a backend that closes each silent connection soon is tried once per rest, however many clients come") {
  World world(PoolOf(8));
  struct Accepted {
    UniqueFd fd;
    int64_t at_ms;
  };
  std::vector<Accepted> silent;
  std::vector<UniqueFd> clients;
  size_t connects = 0;
  const int64_t end_ms = NowMs() + 2'000;
  // Longer where the machine is too busy to let it rest at least twice.
  for (int64_t next_ms = 0; NowMs() < end_ms || connects < clients.size() + 2; world.rig.Step(5)) {
    if (NowMs() >= next_ms) {
      clients.push_back(world.rig.Admit());
      next_ms = NowMs() + 20;
    }
    for (UniqueFd one; (one = world.backend.TryAccept()).is_open(); connects++) silent.push_back({std::move(one), NowMs()});
    std::erase_if(silent, [](const Accepted& it) { return NowMs() >= it.at_ms + 20; });
  }
  // Whoever found one that was about to be closed took a second connect; after that rests of 100, 200, 400 ms and so on.
  CHECK_OP(connects, <=, clients.size() + 8);
  CHECK_EQ(world.errors(BackendError::kReset), 0);
}

TEST(TrustsWhatHolds, "after failures one connection is opened, and when it has held for a second all the others") {
  World world(PoolOf(10));
  UniqueFd ahead = world.Start();
  const std::vector<UniqueFd> more = world.rig.AdmitTogether(4);
  std::vector<UniqueFd> upstreams;
  world.rig.Until([&] { return world.warm() == 4; });
  world.AcceptFor(kQuietMs / 3, &upstreams);
  upstreams.clear();
  // Also the clients that had warm ones or none: their ends are none of the pool's business.
  world.rig.Until([&] { return world.warm() == 1; });
  const int64_t began_ms = NowMs();
  const uint64_t taken = world.taken();
  const UniqueFd client = world.rig.Admit();
  world.rig.Until([&] { return world.missed() >= 5; });
  CHECK_EQ(world.taken(), taken);
  world.rig.Until([&] { return world.warm() >= 4; });
  CHECK_OP(NowMs() - began_ms, >=, 900);
  const UniqueFd last = world.rig.Admit();
  world.rig.Until([&] { return world.taken() == taken + 1; });
}

TEST(LeavesWhoIsNotChosen, "a backend to which no clients are sent any more, or elsewhere, loses its connections without a client") {
  for (const char* how : {"drained", "moved", "unhealthy", "ejected"}) {
    World world(PoolOf(10));
    const UniqueFd ahead = world.Start();
    BackendLine& line = world.rig.backend(0);
    if (how[0] == 'd') line.target_port = 0;
    if (how[0] == 'm') line.target_address[3]++;
    if (how[0] == 'u') line.health = 1;
    if (how[0] == 'e') line.breaker = static_cast<int32_t>(BreakerState::kOpen);
    Expect(world.rig, ahead, "(end)");
    CHECK_EQ(world.AcceptFor(kQuietMs), 0);
    CHECK_EQ(world.warm(), 0);
    CHECK_EQ(world.rig.relay().connection_count(), 1);
  }
}

TEST(RenewsWhatABackendLetsGo, "a backend that closes idle connections has new ones opened while there are clients") {
  World world(PoolOf(1));
  UniqueFd ahead = world.Start();
  for (int i = 0; i < 2; i++) {
    ahead.Reset();
    ahead = AcceptThrough(world.rig, world.backend);
  }
  world.rig.Until([&] { return world.warm() == 1; });
  // Nobody gets it before it has settled.
  CHECK_EQ(world.AcceptFor(1'200), 0);
  const UniqueFd client = world.rig.Admit();
  Send(client, "here");
  Expect(world.rig, ahead, "here");
}

}  // namespace edgeproxy::test
