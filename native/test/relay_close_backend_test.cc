// A backend that is taken away: whose connections it had, and who waits for a place at this worker.
#include <string>
#include <vector>

#include "pool_world.h"

namespace edgeproxy::test {

namespace {
// As its owner does: when readable or due, and not otherwise.
template <typename Condition>
void DriveWhenDue(RelayRig& rig, Condition condition) {
  for (const int64_t end_ms = NowMs() + kWaitMs; !condition();) {
    CHECK_OP(NowMs(), <, end_ms);
    const int64_t due_ms = rig.relay().NextDispatchMs();
    const bool is_due = due_ms != -1 && due_ms <= 20;
    if (IsReadable(rig.relay().poll_fd(), is_due ? static_cast<int>(due_ms) : 20) || is_due) rig.relay().Dispatch();
  }
}
}  // namespace

TEST(LetsWaitingClientsIn, "a full worker that loses a backend's connections accepts again, and its gauges say so at once") {
  RelayOptions options;
  options.max_connections = 2;
  World world(options);
  uint16_t port = 0;
  const UniqueFd listener = ListenOnLoopback(port);
  Message message;
  message.kind = MessageKind::kListener;
  message.argument = 3;
  message.count = 1;
  message.sockets[0].fd.Reset(::dup(listener.get()));
  CHECK_EQ(SendMessage(world.rig.primary_end.get(), message), 0);
  world.rig.Settle();

  std::vector<UniqueFd> clients;
  std::vector<UniqueFd> upstreams;
  for (int i = 0; i < 2; i++) {
    clients.push_back(ConnectClient(port));
    upstreams.push_back(AcceptThrough(world.rig, world.backend));
  }
  const UniqueFd waiting = ConnectClient(port);
  world.rig.Settle();
  const Backend other;
  world.rig.ports[1] = other.port;
  world.rig.ports[0] = 0;
  world.rig.relay().CloseBackend(0, EndReason::kBackendDrained);
  CHECK_EQ(world.rig.block().relays_open, 0);
  UniqueFd upstream;
  DriveWhenDue(world.rig, [&] { return (upstream = other.TryAccept()).is_open(); });
}

TEST(MovesWhoWaitedLong, "a client that has sent nothing gets another backend, however long it waited and with no retry left") {
  for (const bool has_retries : {true, false}) {
    RelayOptions options = PoolOf(1);
    options.connect_retries = has_retries ? 2 : 0;
    options.listeners.Edit(kListenerId).connect_total_timeout_ms = has_retries ? 100 : 0;
    World world(options);
    const UniqueFd ahead = world.Start();
    const UniqueFd client = world.rig.Admit();
    world.rig.Until([&] { return world.taken() == 1; });
    world.AcceptFor(200);
    const Backend other;
    world.rig.ports[1] = other.port;
    world.rig.relay().CloseBackend(0, EndReason::kBackendDrained);
    const UniqueFd upstream = AcceptThrough(world.rig, other);
    Send(client, "moved");
    Expect(world.rig, upstream, "moved");
  }
}

TEST(CountsNoMoveAsATry, "whoever was moved has as many tries as before, and no more moves than there are places for tries") {
  RelayOptions options;
  options.connect_retries = 1;
  RelayRig rig(options);
  const Blackhole dead;
  const Backend alive;
  rig.ports[0] = dead.port;
  const UniqueFd client = rig.Admit();
  rig.Until([&] { return rig.active(0) == 1; });
  rig.ports[1] = DeadPort();
  rig.ports[2] = alive.port;
  rig.relay().CloseBackend(0, EndReason::kBackendDrained);
  const UniqueFd upstream = AcceptThrough(rig, alive);
  Send(client, "third");
  Expect(rig, upstream, "third");

  // Sent back to the same backend each time.
  rig.choose = [](const RouteRequest&) { return 0; };
  const UniqueFd moved = rig.Admit();
  rig.Until([&] { return rig.active(0) == 1; });
  for (uint32_t i = 0; i < kMaxTries; i++) rig.relay().CloseBackend(0, EndReason::kBackendDrained);
  CHECK_EQ(rig.rejected(RejectReason::kConnectFailed), 1);
  CHECK_EQ(rig.active(0), 0);
}

}  // namespace edgeproxy::test
