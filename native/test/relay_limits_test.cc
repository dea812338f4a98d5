// What a connection counts in besides its worker and its backend: its client address, and all connections together.
#include <vector>

#include "relay_peers.h"
#include "relay_rig.h"

namespace edgeproxy::test {

namespace {

struct Listener {
  uint16_t port = 0;
  UniqueFd fd = ListenOnLoopback(port);
};

void SendListener(RelayRig& rig, const Listener& listener, uint32_t id) {
  Message message;
  message.kind = MessageKind::kListener;
  message.argument = id;
  message.count = 1;
  message.sockets[0].fd = UniqueFd(::dup(listener.fd.get()));
  CHECK_EQ(SendMessage(rig.primary_end.get(), message), 0);
}

std::vector<UniqueFd> ConnectTo(const Listener& listener, int count) {
  std::vector<UniqueFd> clients;
  for (int i = 0; i < count; i++) clients.push_back(ConnectClient(listener.port));
  return clients;
}

}  // namespace

TEST(GivesTheClientBack, "a connection is taken off its client's count once, however it ends") {
  Listener backend;
  RelayRig rig;
  rig.client_word = RelayRig::kClientWord;
  rig.ports[0] = backend.port;
  std::vector<UniqueFd> clients = rig.AdmitTogether(3);
  rig.Until([&] { return rig.row(0).connections == 3; });
  CHECK_EQ(rig.client_connections(), 3);
  ResetOnClose(clients[0]);
  clients[0].Reset();
  rig.Until([&] { return rig.client_connections() == 2; });
  rig.relay().CloseBackend(0, EndReason::kBackendDrained);
  CHECK_EQ(rig.client_connections(), 0);

  // Refused, and after backends that refuse.
  rig.ports[0] = 0;
  const std::vector<UniqueFd> refused = rig.AdmitTogether(2);
  rig.Until([&] { return rig.rejected(RejectReason::kNoBackend) == 2; });
  rig.ports[0] = rig.ports[1] = DeadPort();
  const std::vector<UniqueFd> unlucky = rig.AdmitTogether(2);
  rig.Until([&] { return rig.rejected(RejectReason::kConnectFailed) == 2; });
  rig.UntilAtRest();
}

TEST(IgnoresWordsElsewhere, "a word that is not behind the header of the region is nobody's count") {
  for (const int32_t word : {1, 31, -1, RelayRig::kClientWord + 16, INT32_MAX}) {
    RelayRig rig;
    rig.client_word = word;
    const UniqueFd client = rig.Admit();
    rig.Until([&] { return rig.rejected(RejectReason::kNoBackend) == 1; });
    rig.UntilAtRest();
  }
}

TEST(StopsAtTheTotal, "with as many connections as all workers may have, a listener of its own rests, and goes on later") {
  Listener backend, front;
  RelayRig rig({.limits = {.total = 4}});
  rig.ports[0] = backend.port;
  SendListener(rig, front, 3);
  const std::vector<UniqueFd> clients = ConnectTo(front, 6);
  rig.Until([&] { return rig.row(0).connections == 4; });
  rig.Settle();
  CHECK_EQ(rig.block().active, 4);
  // Rests, and looks for a place now and then.
  const int64_t due_ms = rig.relay().NextDispatchMs();
  CHECK_OP(due_ms, >=, 0);
  CHECK_OP(due_ms, <=, 5);
  CHECK_EQ(rig.block().accepted, 4);

  rig.relay().Configure({.limits = {.total = 5}});
  rig.Until([&] { return rig.row(0).connections == 5; });
  CHECK_EQ(rig.block().active, 5);
  rig.relay().Configure({});
  rig.Until([&] { return rig.row(0).connections == 6; });
  rig.relay().Close();
  CHECK_EQ(rig.block().active, 0);
  for (const auto& at_listener : rig.block().listener_active) CHECK_EQ(at_listener.load(), 0);
}

TEST(StopsAtTheListener, "a listener that has as many as it may rests, the others do not") {
  Listener backend, full, other;
  RelayOptions options;
  options.limits.at[3] = 2;
  options.limits.at[4] = 3;
  RelayRig rig(options);
  rig.ports[0] = backend.port;
  SendListener(rig, full, 3);
  SendListener(rig, other, 4);
  std::vector<UniqueFd> clients = ConnectTo(full, 4);
  rig.Until([&] { return rig.row(0).connections == 2; });
  const std::vector<UniqueFd> others = ConnectTo(other, 5);
  rig.Until([&] { return rig.row(0).connections == 5; });
  rig.Settle();
  CHECK_EQ(rig.block().listener_active[3], 2);
  CHECK_EQ(rig.block().listener_active[4], 3);
  for (UniqueFd& client : clients) ResetOnClose(client);
  clients.clear();
  rig.Until([&] { return rig.block().listener_active[3] == 0 && rig.block().accepted == 7; });
  rig.relay().Close();
  CHECK_EQ(rig.block().active, 0);
  for (const auto& at_listener : rig.block().listener_active) CHECK_EQ(at_listener.load(), 0);
}

TEST(EndsByTheListener, "each connection has the timeouts of the listener it came to, also when they change under it") {
  Listener backend, hasty, patient;
  RelayOptions options;
  options.listeners.Edit(3).idle_timeout_ms = 50;
  RelayRig rig(options);
  rig.ports[0] = backend.port;
  SendListener(rig, hasty, 3);
  SendListener(rig, patient, 4);
  const std::vector<UniqueFd> clients = ConnectTo(patient, 2);
  rig.Until([&] { return rig.row(0).connections == 2; });
  const std::vector<UniqueFd> idle = ConnectTo(hasty, 2);
  rig.Until([&] { return rig.ended(EndReason::kIdleTimeout) == 2; });
  CHECK_EQ(rig.block().listener_active[3], 0);
  CHECK_EQ(rig.block().listener_active[4], 2);

  options.listeners.Edit(4).max_lifetime_ms = 60;
  rig.relay().Configure(options);
  rig.Until([&] { return rig.ended(EndReason::kMaxLifetime) == 2; });
  rig.UntilAtRest();
}

TEST(ConnectsByTheListener, "how long connecting may take is the listener's, for each try and for all together") {
  const Blackhole hole, other_hole;
  Listener hasty, patient;
  RelayOptions options;
  options.connect_retries = 1;
  options.listeners.Edit(3).connect_timeout_ms = 40;
  options.listeners.Edit(4).connect_timeout_ms = 0;
  RelayRig rig(options);
  rig.ports[0] = hole.port;
  rig.ports[1] = other_hole.port;
  SendListener(rig, hasty, 3);
  SendListener(rig, patient, 4);
  const std::vector<UniqueFd> waiting = ConnectTo(patient, 1);
  const std::vector<UniqueFd> clients = ConnectTo(hasty, 1);
  rig.Until([&] { return rig.rejected(RejectReason::kConnectFailed) == 1; });
  CHECK_EQ(rig.block().listener_active[4], 1);
  CHECK_EQ(rig.row(0).errors[static_cast<size_t>(BackendError::kTimeout)], 1);
  CHECK_EQ(rig.row(1).errors[static_cast<size_t>(BackendError::kTimeout)], 1);
  options.listeners.Edit(4).connect_total_timeout_ms = 20;
  rig.relay().Configure(options);
  rig.Until([&] { return rig.rejected(RejectReason::kConnectFailed) == 2; });
  rig.UntilAtRest();
}

}  // namespace edgeproxy::test
