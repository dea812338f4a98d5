// What the relay tells the access log of each connection, and of those that never became one.
#include "access_region.h"
#include "hello_builder.h"
#include "relay_peers.h"

namespace edgeproxy::test {

namespace {

struct LoggedRig {
  AccessRegion region;
  RelayRig rig;

  explicit LoggedRig(const RelayOptions& options = {}) : rig(options) { rig.relay().UseAccessLog(region.ring()); }

  // The record of the one connection that has ended since the last call.
  ReadRecord Next() {
    std::vector<ReadRecord> taken;
    rig.Until([&] { return !(taken = region.Take()).empty(); });
    CHECK_EQ(taken.size(), 1);
    return taken.front();
  }
  void ExpectEnd(EndReason reason) {
    const ReadRecord read = Next();
    CHECK_EQ(read.record.flags & kAccessRejected, 0);
    CHECK_EQ(read.record.reason, static_cast<uint32_t>(reason));
  }
  ReadRecord ExpectRejection(RejectReason reason) {
    const ReadRecord read = Next();
    CHECK_EQ(read.record.flags, kAccessRejected);
    CHECK_EQ(read.record.reason, static_cast<uint32_t>(reason));
    return read;
  }
};

RelayOptions With(ListenerSettings settings) {
  RelayOptions options;
  options.listeners.Edit(kListenerId) = settings;
  return options;
}

}  // namespace

TEST(TellsAConversation, "who, where to, bytes both ways and times, in their order, and who closed first") {
  for (const bool is_client_first : {true, false}) {
    Backend backend;
    LoggedRig logged;
    RelayRig& rig = logged.rig;
    rig.ports[2] = backend.port;
    rig.flags = 321 << kResponseNumberShift | 5 << kResponseRuleShift;
    Pair pair = Relayed(rig, backend);
    Send(pair.upstream, "good day");
    Expect(rig, pair.client, "good day");
    (is_client_first ? pair.client : pair.upstream).Reset();
    Expect(rig, is_client_first ? pair.upstream : pair.client, "(end)");
    (is_client_first ? pair.upstream : pair.client).Reset();
    const AccessRecord record = logged.Next().record;
    CHECK_EQ(record.flags, is_client_first ? kAccessClientFirst : 0);
    CHECK_EQ(record.reason, static_cast<uint32_t>(EndReason::kFinished));
    CHECK_EQ(record.bytes_from_client, 5);
    CHECK_EQ(record.bytes_to_client, 8);
    CHECK_EQ(record.slot, 2);
    CHECK_EQ(record.rule, 321);
    CHECK_EQ(record.listener, kListenerId);
    CHECK_EQ(record.address[3], INADDR_LOOPBACK);
    CHECK(record.port != 0);
    CHECK_EQ(record.retries, 0);
    CHECK_EQ(record.error, kNoAccessError);
    CHECK(record.began_us <= record.routed_us && record.routed_us <= record.connected_us);
    CHECK(record.began_us != 0 && record.connected_us <= record.ended_us);
    rig.UntilAtRest();
  }
}

TEST(TellsResets, "a reset of either side is told as whose it was") {
  Backend backend;
  LoggedRig logged;
  logged.rig.ports[0] = backend.port;
  Pair first = Relayed(logged.rig, backend);
  ResetOnClose(first.client);
  first.client.Reset();
  logged.ExpectEnd(EndReason::kClientReset);
  Pair second = Relayed(logged.rig, backend);
  ResetOnClose(second.upstream);
  second.upstream.Reset();
  logged.ExpectEnd(EndReason::kBackendReset);
}

TEST(TellsTimeouts, "each timeout is told by its name") {
  Backend backend;
  {
    LoggedRig logged(With({.idle_timeout_ms = 50}));
    logged.rig.ports[0] = backend.port;
    const Pair pair = Relayed(logged.rig, backend);
    logged.ExpectEnd(EndReason::kIdleTimeout);
  }
  {
    LoggedRig logged(With({.half_close_timeout_ms = 50}));
    logged.rig.ports[0] = backend.port;
    const Pair pair = Relayed(logged.rig, backend);
    ::shutdown(pair.client.get(), SHUT_WR);
    logged.ExpectEnd(EndReason::kHalfCloseTimeout);
  }
  {
    LoggedRig logged(With({.max_lifetime_ms = 50}));
    logged.rig.ports[0] = backend.port;
    const Pair pair = Relayed(logged.rig, backend);
    logged.ExpectEnd(EndReason::kMaxLifetime);
  }
  {
    RelayOptions options = With({.connect_timeout_ms = 50});
    options.connect_retries = 0;
    LoggedRig logged(options);
    const Blackhole hole;
    logged.rig.ports[1] = hole.port;
    const UniqueFd client = logged.rig.Admit();
    const AccessRecord record = logged.ExpectRejection(RejectReason::kConnectFailed).record;
    CHECK_EQ(record.error, static_cast<uint32_t>(BackendError::kTimeout));
    CHECK_EQ(record.slot, 1);
    CHECK_EQ(record.connected_us, 0);
    CHECK(record.routed_us != 0);
  }
}

TEST(TellsRetries, "backends that failed are counted as retries, and the last one is named") {
  Backend backend;
  LoggedRig logged;
  RelayRig& rig = logged.rig;
  rig.ports[0] = rig.ports[1] = DeadPort();
  rig.ports[3] = backend.port;
  Pair pair = Relayed(rig, backend);
  pair.client.Reset();
  pair.upstream.Reset();
  const AccessRecord relayed = logged.Next().record;
  CHECK_EQ(relayed.retries, 2);
  CHECK_EQ(relayed.slot, 3);
  CHECK_EQ(relayed.error, static_cast<uint32_t>(BackendError::kRefused));

  rig.ports[3] = 0;
  const UniqueFd unlucky = rig.Admit();
  const AccessRecord failed = logged.ExpectRejection(RejectReason::kConnectFailed).record;
  CHECK_EQ(failed.retries, 1);
  CHECK_EQ(failed.slot, 1);
}

TEST(TellsRejections, "who was turned away is told with the reason, without a backend") {
  LoggedRig logged;
  for (uint32_t reason = 0; reason < kRejectReasons; reason++) {
    logged.rig.choose = [reason](const RouteRequest&) { return -1 - static_cast<int32_t>(reason); };
    const UniqueFd client = logged.rig.Admit();
    const AccessRecord record = logged.ExpectRejection(static_cast<RejectReason>(reason)).record;
    CHECK_EQ(record.slot, kNoAccessSlot);
    CHECK_EQ(record.bytes_from_client, 0);
  }
}

TEST(TellsOrders, "connections that an order ends are told with its reason, and those of a relay that closes as well") {
  Backend backend;
  LoggedRig logged;
  logged.rig.ports[0] = backend.port;
  const Pair first = Relayed(logged.rig, backend);
  logged.rig.relay().CloseBackend(0, EndReason::kBackendDrained);
  logged.ExpectEnd(EndReason::kBackendDrained);
  const Pair second = Relayed(logged.rig, backend);
  logged.rig.relay().Close();
  logged.ExpectEnd(EndReason::kShutdown);
}

TEST(TellsNames, "the name that a ClientHello asks for is told, also a long one") {
  Backend backend;
  LoggedRig logged(With({.flags = kListenerHello}));
  logged.rig.ports[0] = backend.port;
  const std::string label(60, 'a');
  for (const std::string& name : {std::string("www.example.test"), label + "." + label + "." + label + ".test"}) {
    UniqueFd client = logged.rig.Admit();
    Send(client, Records(HelloMessage(ServerName(name))));
    UniqueFd upstream = AcceptThrough(logged.rig, backend);
    client.Reset();
    upstream.Reset();
    CHECK(logged.Next().name == name);
  }
}

TEST(TellsNothingWhileOff, "off it tells nothing, and of a connection that began while it was off nothing either") {
  Backend backend;
  LoggedRig logged;
  RelayRig& rig = logged.rig;
  rig.ports[0] = backend.port;
  logged.region.header().is_enabled = 0;
  Pair early = Relayed(rig, backend);
  logged.region.header().is_enabled = 1;
  Pair late = Relayed(rig, backend);
  early.client.Reset();
  early.upstream.Reset();
  rig.Until([&] { return rig.ended(EndReason::kFinished) == 1; });
  CHECK(logged.region.Take().empty());
  logged.region.header().is_enabled = 0;
  late.client.Reset();
  late.upstream.Reset();
  rig.UntilAtRest();
  logged.region.header().is_enabled = 1;
  CHECK(logged.region.Take().empty());

  // In the place of those two.
  for (int i = 0; i < 2; i++) {
    Pair pair = Relayed(rig, backend);
    pair.client.Reset();
    pair.upstream.Reset();
    logged.ExpectEnd(EndReason::kFinished);
  }
}

TEST(NeverWaits, "with a ring that nobody reads connections go on, and what is lost is counted") {
  Backend backend;
  AccessRegion region(8);
  RelayRig rig;
  rig.relay().UseAccessLog(region.ring());
  rig.ports[0] = backend.port;
  for (int i = 0; i < 20; i++) {
    Pair pair = Relayed(rig, backend);
    pair.client.Reset();
    pair.upstream.Reset();
  }
  rig.UntilAtRest();
  CHECK_EQ(region.first().dropped, 12);
  CHECK_EQ(region.Take().size(), 8);
}

}  // namespace edgeproxy::test
