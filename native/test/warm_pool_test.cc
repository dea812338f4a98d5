// Connections opened ahead, as clients, backends and the counters see them through the relay.
#include "warm_pool.h"

#include <vector>

#include "pool_world.h"

namespace edgeproxy::test {

namespace {
constexpr int kQuietMs = 300;
}  // namespace

TEST(SparesTheConnect, "the second client gets the connection that was opened before it came, and the next one is opened") {
  World world(PoolOf(10));
  const UniqueFd ahead = world.Start();
  CHECK_EQ(world.missed(), 1);
  const UniqueFd client = world.rig.Admit();
  Send(client, "second");
  Expect(world.rig, ahead, "second");
  Send(ahead, "answer");
  Expect(world.rig, client, "answer");
  CHECK_EQ(world.taken(), 1);
  CHECK_EQ(world.rig.row(0).connections, 2);
  CHECK_EQ(world.rig.active(0), 2);
  const UniqueFd next = AcceptThrough(world.rig, world.backend);
  world.rig.Until([&] { return world.warm() == 1; });
  CHECK(Receive(next).empty());
}

TEST(IsUsedOnce, "a connection that a client has had is not given to another, however it ended") {
  World world(PoolOf(1));
  UniqueFd ahead = world.Start();
  for (const char* name : {"one", "two", "three", "four"}) {
    UniqueFd client = world.rig.Admit();
    Send(client, name);
    Expect(world.rig, ahead, name);
    UniqueFd next = AcceptThrough(world.rig, world.backend);
    world.rig.Until([&] { return world.warm() == 1; });
    if (name[0] == 'o') ResetOnClose(client);
    client.Reset();
    Expect(world.rig, ahead, name[0] == 'o' ? "(reset)" : "(end)");
    ahead = std::move(next);
  }
  CHECK_EQ(world.taken(), 4);
  CHECK_EQ(world.missed(), 1);
}

TEST(IsNothingWhenOff, "without the pool nothing is opened ahead and nothing counted") {
  World world(PoolOf(0));
  world.first = Relayed(world.rig, world.backend);
  CHECK_EQ(world.AcceptFor(kQuietMs), 0);
  CHECK_EQ(world.missed(), 0);
}

TEST(GrowsWithDemand, "clients that find none make the stock larger, up to its bound and to that of all backends") {
  for (const uint32_t bound : {3U, 20U}) {
    RelayOptions options = PoolOf(bound);
    options.pool.max_connections = 5;
    World world(options);
    const std::vector<UniqueFd> clients = world.rig.AdmitTogether(12);
    const int expected = bound == 3 ? 3 : 5;
    world.rig.Until([&] { return world.warm() == expected; });
    std::vector<UniqueFd> upstreams;
    CHECK_EQ(world.AcceptFor(kQuietMs, &upstreams), 12U + static_cast<unsigned>(expected));
    CHECK_EQ(world.warm(), expected);
    CHECK_EQ(world.missed(), 12);
  }
}

TEST(YieldsToClients, "a worker that sheds load opens none, and one without descriptors gives back those that it has") {
  World world(PoolOf(10));
  const UniqueFd ahead = world.Start();
  world.rig.block().shedding = 1;
  const UniqueFd second = world.rig.Admit();
  Send(second, "second");
  Expect(world.rig, ahead, "second");
  CHECK_EQ(world.AcceptFor(kQuietMs), 0);

  world.rig.block().shedding = 0;
  const UniqueFd third = world.rig.Admit();
  std::vector<UniqueFd> upstreams;
  world.rig.Until([&] { return world.warm() == 2; });
  world.AcceptFor(kQuietMs, &upstreams);
  world.rig.block().shedding = kSheddingDescriptors;
  const UniqueFd fourth = world.rig.Admit();
  world.rig.Until([&] { return world.warm() == 0; });
  Send(second, "and on");
  Expect(world.rig, ahead, "and on");
}

TEST(PassesTheGreetingOn, "a backend that speaks first has spoken by the time the client comes") {
  World world(PoolOf(10));
  const UniqueFd ahead = world.Start();
  Send(ahead, "welcome");
  world.rig.Settle();
  const UniqueFd client = world.rig.Admit();
  Expect(world.rig, client, "welcome");
  Send(client, "hello");
  Expect(world.rig, ahead, "hello");
  CHECK_EQ(world.taken(), 1);
}

TEST(HandsOutNoneThatIsClosed, "a connection that its backend has ended or reset is not handed out, event seen or not") {
  for (const bool is_reset : {false, true}) {
    for (const bool is_seen : {false, true}) {
      for (const bool has_spoken : {false, true}) {
        World world(PoolOf(10));
        UniqueFd ahead = world.Start();
        if (has_spoken) Send(ahead, "421 too slow");
        if (is_reset) ResetOnClose(ahead);
        ahead.Reset();
        if (is_seen) world.rig.Until([&] { return world.warm() == 0; });
        const UniqueFd client = world.rig.Admit();
        Send(client, "to a living one");
        const UniqueFd upstream = AcceptThrough(world.rig, world.backend);
        Expect(world.rig, upstream, "to a living one");
        CHECK_EQ(world.taken(), 0);
        CHECK_EQ(world.missed(), 2);
      }
    }
  }
}

TEST(ReplacesOneThatDies, "a client that has not sent yet when its connection is closed gets another, with all its bytes") {
  for (const bool is_reset : {false, true}) {
    for (const bool is_seen : {false, true}) {
      World world(PoolOf(1));
      UniqueFd ahead = world.Start();
      const UniqueFd client = world.rig.Admit();
      world.rig.Until([&] { return world.taken() == 1; });
      const UniqueFd next = AcceptThrough(world.rig, world.backend);
      if (is_reset) ResetOnClose(ahead);
      ahead.Reset();
      UniqueFd upstream;
      if (is_seen) upstream = AcceptThrough(world.rig, world.backend);
      Send(client, "late");
      if (!is_seen) upstream = AcceptThrough(world.rig, world.backend);
      Expect(world.rig, upstream, "late");
      ::shutdown(client.get(), SHUT_WR);
      Expect(world.rig, upstream, "(end)");
      Send(upstream, "answer");
      upstream.Reset();
      Expect(world.rig, client, "answer(end)");
      // One client, one connection of the backend's, whatever it took.
      CHECK_EQ(world.rig.row(0).connections, 2);
      CHECK_EQ(world.rig.rejected(RejectReason::kConnectFailed), 0);
    }
  }
}

TEST(LosesNoClientToADyingBackend, "one whose replacement cannot be connected either is tried at the next backend") {
  World world(PoolOf(1));
  UniqueFd ahead = world.Start();
  const UniqueFd client = world.rig.Admit();
  world.rig.Until([&] { return world.taken() == 1; });
  const Backend other;
  world.rig.ports[1] = other.port;
  world.backend.StopListening();
  ahead.Reset();
  const UniqueFd upstream = AcceptThrough(world.rig, other);
  Send(client, "moved");
  Expect(world.rig, upstream, "moved");
  CHECK_EQ(world.rig.active(0), 1);
  CHECK_EQ(world.rig.active(1), 1);
}

TEST(GivesTimeAnew, "a client that waited longer than connecting may take in all still gets its replacement") {
  RelayOptions options = PoolOf(1);
  options.listeners.Edit(kListenerId).connect_total_timeout_ms = 100;
  World world(options);
  UniqueFd ahead = world.Start();
  const UniqueFd client = world.rig.Admit();
  world.rig.Until([&] { return world.taken() == 1; });
  const UniqueFd next = AcceptThrough(world.rig, world.backend);
  world.AcceptFor(kQuietMs);
  ahead.Reset();
  const UniqueFd upstream = AcceptThrough(world.rig, world.backend);
  Send(client, "still here");
  Expect(world.rig, upstream, "still here");
}

TEST(MovesWhoHasSentNothing, "a client that has sent nothing when its backend is closed gets another backend") {
  World world(PoolOf(1));
  const UniqueFd ahead = world.Start();
  const UniqueFd client = world.rig.Admit();
  world.rig.Until([&] { return world.taken() == 1; });
  const Backend other;
  world.rig.ports[1] = other.port;
  world.rig.relay().CloseBackend(0, EndReason::kBackendDrained);
  const UniqueFd upstream = AcceptThrough(world.rig, other);
  Send(client, "moved");
  Expect(world.rig, upstream, "moved");
  Expect(world.rig, world.first.client, "(reset)");
  CHECK_EQ(world.rig.active(0), 0);
}

TEST(PassesAnEndOn, "an end or a reset after the first byte is the client's, as on any connection") {
  for (const bool has_client_sent : {false, true}) {
    World world(PoolOf(1));
    UniqueFd ahead = world.Start();
    const UniqueFd client = world.rig.Admit();
    const UniqueFd& from = has_client_sent ? client : ahead;
    Send(from, "first");
    Expect(world.rig, has_client_sent ? ahead : client, "first");
    ResetOnClose(ahead);
    ahead.Reset();
    Expect(world.rig, client, "(reset)");
    CHECK_EQ(world.rig.ended(EndReason::kBackendReset), 1);
  }
}

TEST(KnowsTheAddress, "a slot that leads elsewhere gives out nothing that leads to where it led before") {
  World world(PoolOf(10));
  const UniqueFd ahead = world.Start();
  const Backend other;
  world.rig.ports[0] = other.port;
  const UniqueFd client = world.rig.Admit();
  const UniqueFd upstream = AcceptThrough(world.rig, other);
  Send(client, "to the other");
  Expect(world.rig, upstream, "to the other");
  Expect(world.rig, ahead, "(end)");
  CHECK_EQ(world.taken(), 0);
}

TEST(AsksWhoTakesClients, "nothing is opened to a backend that is unhealthy or ejected") {
  for (const bool is_unhealthy : {false, true}) {
    World world(PoolOf(10));
    (is_unhealthy ? world.rig.backend(0).health : world.rig.backend(0).breaker) = 1;
    world.first = Relayed(world.rig, world.backend);
    CHECK_EQ(world.AcceptFor(kQuietMs), 0);
  }
}

TEST(LetsATrialConnect, "a trial of a half-open breaker gets no warm connection: whether one can be made is the question") {
  World world(PoolOf(10));
  const UniqueFd ahead = world.Start();
  world.rig.are_trials = true;
  const UniqueFd client = world.rig.Admit();
  Send(client, "trial");
  const UniqueFd upstream = AcceptThrough(world.rig, world.backend);
  Expect(world.rig, upstream, "trial");
  CHECK_EQ(world.taken(), 0);
}

TEST(TellsTheBreaker, "failed warm connects open a breaker as those of clients do") {
  World world(PoolOf(10));
  const UniqueFd ahead = world.Start();
  world.rig.health().failure_threshold = 2;
  world.rig.health().max_ejected = 1;
  world.backend.StopListening();
  const UniqueFd client = world.rig.Admit();
  world.rig.Until([&] { return world.rig.backend(0).breaker == static_cast<int32_t>(BreakerState::kOpen); });
  const uint32_t errors = world.errors(BackendError::kRefused);
  world.AcceptFor(kQuietMs * 3);
  CHECK_EQ(world.errors(BackendError::kRefused), errors);
}

TEST(KnowsTheOwner, "the pool of a backend that is gone opens nothing for the slot's next owner, and tells its breaker nothing") {
  for (const bool is_connecting : {false, true}) {
    RelayOptions options = PoolOf(4);
    options.pool.connect_timeout_ms = 100;
    World world(options);
    world.rig.health().failure_threshold = 3;
    world.rig.health().max_ejected = 1;
    UniqueFd ahead = world.Start();
    world.first = {};
    const Blackhole dead;
    if (is_connecting) {
      world.rig.ports[0] = dead.port;
      const UniqueFd client = world.rig.Admit();
      world.rig.Until([&] { return world.missed() == 2; });
    }
    world.rig.backend(0).owner++;
    world.backend.StopListening();
    ahead.Reset();
    const uint32_t errors = world.errors(BackendError::kRefused) + world.errors(BackendError::kTimeout);
    for (const int64_t end_ms = NowMs() + 1'000; NowMs() < end_ms;) world.rig.Step(10);
    CHECK_EQ(world.errors(BackendError::kRefused) + world.errors(BackendError::kTimeout), errors);
    CHECK_EQ(world.rig.backend(0).failures, 0);
    CHECK_EQ(world.warm(), 0);
  }
}

TEST(CountsTogetherAsOne, "connects that were under way together and fail are one failure for the breaker") {
  RelayOptions options = PoolOf(20);
  options.pool.connect_timeout_ms = 100;
  World world(options);
  world.rig.health().failure_threshold = 5;
  world.rig.health().max_ejected = 1;
  const std::vector<UniqueFd> clients = world.rig.AdmitTogether(8);
  world.rig.Until([&] { return world.warm() == 8; });
  // The packets of a moment are lost: no client notices.
  CHECK(!RefuseNewClients(world.backend.listener.get()).is_set());
  const std::vector<UniqueFd> more = world.rig.AdmitTogether(6);
  world.rig.Until([&] { return world.errors(BackendError::kTimeout) >= 6; });
  CHECK_OP(world.rig.backend(0).failures, <, 3);
  CHECK_EQ(world.rig.backend(0).breaker, static_cast<int32_t>(BreakerState::kClosed));
}

TEST(ClosesAll, "the pool is emptied when it is switched off, the backend goes, the worker drains or closes") {
  for (const char* how : {"off", "backend", "drain", "close"}) {
    World world(PoolOf(10));
    const UniqueFd ahead = world.Start();
    if (how[0] == 'o') world.rig.relay().Configure(PoolOf(0));
    if (how[0] == 'b') world.rig.relay().CloseBackend(0, EndReason::kBackendDrained);
    if (how[0] == 'd') world.rig.relay().Drain();
    if (how[0] == 'c') world.rig.relay().Close();
    CHECK_EQ(world.warm(), 0);
    CHECK(IsReadable(ahead.get(), kWaitMs));
    CHECK(Receive(ahead) == "(end)");
    if (how[0] == 'c') continue;
    world.AcceptFor(kQuietMs);
    CHECK_EQ(world.warm(), 0);
    // Whoever is relayed stays, except where the backend goes.
    CHECK_EQ(world.rig.relay().connection_count(), how[0] == 'b' ? 0 : 1);
  }
}

TEST(TakesOtherSettings, "a pool that is made smaller closes what is too much, and other timeouts count at once") {
  World world(PoolOf(10));
  const std::vector<UniqueFd> clients = world.rig.AdmitTogether(6);
  world.rig.Until([&] { return world.warm() == 6; });
  RelayOptions options = PoolOf(2);
  world.rig.relay().Configure(options);
  CHECK_EQ(world.warm(), 2);
  options.pool.idle_timeout_ms = 50;
  world.rig.relay().Configure(options);
  world.rig.Until([&] { return world.warm() == 0; });
}

}  // namespace edgeproxy::test
