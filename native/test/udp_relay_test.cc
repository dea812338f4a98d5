// UDP sessions in a worker, with real sockets on both sides.
#include "udp_relay.h"

#include "udp_peers.h"

namespace edgeproxy::test {

TEST(RelaysDatagrams, "both ways, each client over a socket of its own, counted and given back") {
  UdpRig rig;
  const UdpSocket backend;
  rig.ports[1] = backend.port();
  const UdpSocket one, two;
  one.Send(rig.port, "one");
  two.Send(rig.port, "two");
  const Received first = rig.TakeAt(backend), second = rig.TakeAt(backend);
  CHECK(first.port != second.port);
  CHECK_EQ(rig.active(1), 2);
  CHECK_EQ(rig.block().active, 2);
  CHECK_EQ(rig.block().udp_sessions, 2);
  backend.Send(first.port, "answer to " + first.bytes);
  backend.Send(second.port, "answer to " + second.bytes);
  CHECK(rig.TakeAt(one).bytes == "answer to one");
  const Received answer = rig.TakeAt(two);
  CHECK(answer.bytes == "answer to two");
  CHECK_EQ(answer.port, rig.port);
  CHECK_EQ(rig.row(1).connections, 2);
  CHECK_EQ(rig.row(1).bytes_from_clients, 6);
  CHECK_EQ(rig.block().bytes_to_clients, 26);
  CHECK_EQ(rig.block().datagrams_from_clients, 2);
  CHECK_EQ(rig.block().datagrams_to_clients, 2);
  rig.relay().Close();
  CHECK_EQ(rig.ended(EndReason::kShutdown), 2);
  rig.CheckAtRest();
}

TEST(RoutesTogether, "the new clients of one read are one batch, and their datagrams wait for it in order") {
  UdpRig rig;
  const UdpSocket backend;
  rig.ports[0] = backend.port();
  const UdpSocket clients[10];
  for (int i = 0; i < 3; i++) {
    for (const UdpSocket& client : clients) client.Send(rig.port, std::to_string(i));
  }
  rig.Until([&] { return rig.block().datagrams_from_clients == 30; });
  CHECK_EQ(rig.batches.size(), 1);
  CHECK_EQ(rig.batches[0], 10);
  std::string order[65'536];
  for (int i = 0; i < 30; i++) {
    const Received received = backend.Take();
    order[received.port] += received.bytes;
  }
  for (const std::string& each : order) CHECK(each.empty() || each == "012");
}

TEST(ReadsBursts, "a backend that gave one answer at a time and then many has all of them relayed, in order, without another event") {
  UdpRig rig;
  const UdpSocket backend, client;
  rig.ports[0] = backend.port();
  client.Send(rig.port, "question");
  const uint16_t session = rig.TakeAt(backend).port;
  for (int i = 0; i < 8; i++) {
    backend.Send(session, "one");
    CHECK(rig.TakeAt(client).bytes == "one");
  }
  for (int i = 0; i < 100; i++) backend.Send(session, std::to_string(i));
  for (int i = 0; i < 100; i++) CHECK(rig.TakeAt(client).bytes == std::to_string(i));
  CHECK_EQ(rig.block().datagrams_to_clients, 108);
}

TEST(KeepsWithinLimits, "a client address has at most so many sessions, and a worker too; the rest is dropped and counted") {
  RelayOptions options;
  options.max_connections = 3;
  options.listeners.Edit(kListenerId).max_sessions_per_client = 2;
  UdpRig rig(options);
  const UdpSocket backend;
  rig.ports[0] = backend.port();
  const UdpSocket clients[4];
  for (const UdpSocket& client : clients) client.Send(rig.port, "x");
  rig.Until([&] { return rig.rejected(RejectReason::kTooManySessions) == 2; });
  CHECK_EQ(rig.relay().connection_count(), 2);
  CHECK_EQ(rig.block().datagrams_dropped, 2);
  CHECK_EQ(rig.block().accepted, 4);
  options.listeners.Edit(kListenerId).max_sessions_per_client = 0;
  rig.relay().Configure(options);
  for (const UdpSocket& client : clients) client.Send(rig.port, "x");
  rig.Until([&] { return rig.rejected(RejectReason::kTooManySessions) == 3; });
  CHECK_EQ(rig.relay().connection_count(), 3);
  CHECK_EQ(rig.block().active, 3);
}

TEST(BeginsNothingWithPortZero, "a datagram that cannot be answered begins no session") {
  UdpRig rig;
  const UniqueFd raw(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP));
  // Only root may.
  if (!raw.is_open()) return;
  const uint16_t datagram[] = {0, htons(rig.port), htons(8), 0};
  const sockaddr_in to = Loopback(0);
  CHECK_EQ(::sendto(raw.get(), datagram, sizeof datagram, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to), 8);
  rig.Until([&] { return rig.block().datagrams_dropped == 1; });
  CHECK_EQ(rig.block().accepted, 0);
  rig.CheckAtRest();
}

TEST(LeavesPlacesForTcp, "sessions take no more than their share of a worker's places, and none that connections have") {
  RelayOptions options;
  options.max_connections = 3;
  options.max_udp_sessions = 2;
  UdpRig rig(options);
  const UdpSocket backend;
  rig.ports[0] = backend.port();
  const UdpSocket clients[4];
  for (const UdpSocket& client : clients) client.Send(rig.port, "x");
  rig.Until([&] { return rig.rejected(RejectReason::kTooManySessions) == 2; });
  CHECK_EQ(rig.relay().connection_count(), 2);
  options.max_udp_sessions = 4;
  rig.relay().Configure(options);
  for (const UdpSocket& client : clients) client.Send(rig.port, "x");
  rig.Until([&] { return rig.rejected(RejectReason::kTooManySessions) == 3; });
  CHECK_EQ(rig.relay().connection_count(), 3);
}

TEST(ForgetsTheUnanswered, "a silent client that no backend has answered goes soon; one that was answered, or goes on sending, stays") {
  RelayOptions options;
  options.listeners.Edit(kListenerId).unanswered_timeout_ms = 100;
  UdpRig rig(options);
  const UdpSocket backend;
  rig.ports[0] = backend.port();
  const UdpSocket silent, answered, sending;
  answered.Send(rig.port, "x");
  backend.Send(rig.TakeAt(backend).port, "y");
  rig.TakeAt(answered);
  silent.Send(rig.port, "x");
  // Read before the clock is looked at: no pause of this process lets it look silent.
  rig.Until([&] {
    sending.Send(rig.port, "x");
    return rig.ended(EndReason::kIdleTimeout) == 1;
  });
  CHECK_EQ(rig.relay().connection_count(), 2);
  silent.Send(rig.port, "again");
  rig.Until([&] {
    sending.Send(rig.port, "x");
    return rig.ended(EndReason::kIdleTimeout) == 2;
  });
  CHECK_EQ(rig.relay().connection_count(), 2);
}

TEST(RefusesWithoutMemory, "a client that route() refuses leaves nothing behind") {
  UdpRig rig;
  const UdpSocket client;
  for (uint64_t i = 1; i <= 100; i++) {
    client.Send(rig.port, "x");
    rig.Until([&] { return rig.rejected(RejectReason::kNoBackend) == i; });
  }
  CHECK_EQ(rig.block().datagrams_dropped, 100);
  rig.CheckAtRest();
}

TEST(EndsOnIcmp, "a backend that is gone ends its session and opens its breaker, and the next datagram asks for another one") {
  UdpRig rig;
  rig.health().failure_threshold = 1;
  rig.health().max_ejected = 4;
  UdpSocket gone;
  const UdpSocket other;
  rig.ports[0] = gone.port();
  const UdpSocket client;
  client.Send(rig.port, "one");
  rig.TakeAt(gone);
  gone.Close();
  client.Send(rig.port, "two");
  rig.Until([&] { return rig.ended(EndReason::kIcmpError) == 1; });
  CHECK_EQ(rig.row(0).errors[static_cast<size_t>(BackendError::kRefused)], 1);
  CHECK_EQ(rig.backend(0).breaker, static_cast<int32_t>(BreakerState::kOpen));
  rig.CheckAtRest();
  rig.ports[1] = other.port();
  bool is_anew = false;
  rig.choose = [&](const RouteRequest& request) {
    is_anew = request.flags == kRequestAnew && request.tries == 1 && request.tried_slots[0] == 0;
    return 1;
  };
  client.Send(rig.port, "three");
  CHECK(rig.TakeAt(other).bytes == "three");
  CHECK(is_anew);
}

TEST(EndsInSilence, "a session ends after its listener's idle timeout, and any datagram of either side puts that off") {
  RelayOptions options;
  options.listeners.Edit(kListenerId).idle_timeout_ms = 1'500;
  UdpRig rig(options);
  const UdpSocket backend;
  rig.ports[0] = backend.port();
  const UdpSocket client;
  const int64_t begin_ms = NowMs();
  client.Send(rig.port, "x");
  const Received received = rig.TakeAt(backend);
  rig.Until([&] { return NowMs() - begin_ms > 700; });
  backend.Send(received.port, "y");
  rig.TakeAt(client);
  const int64_t last_ms = NowMs();
  rig.UntilAtRest();
  CHECK_OP(NowMs() - last_ms, >=, 1'490);
  CHECK_EQ(rig.ended(EndReason::kIdleTimeout), 1);
}

TEST(LivesNoLonger, "a session that is busy ends at its listener's greatest age") {
  RelayOptions options;
  options.listeners.Edit(kListenerId).max_lifetime_ms = 100;
  UdpRig rig(options);
  const UdpSocket backend;
  rig.ports[0] = backend.port();
  const UdpSocket client;
  rig.Until([&] {
    client.Send(rig.port, "x");
    return rig.ended(EndReason::kMaxLifetime) == 1;
  });
}

TEST(TakesTheRest, "a listener that is closed has its queue relayed, and frees its address") {
  UdpRig rig;
  const UdpSocket backend;
  rig.ports[0] = backend.port();
  const UdpSocket client;
  client.Send(rig.port, "one");
  rig.TakeAt(backend);
  client.Send(rig.port, "last");
  rig.CloseListener();
  CHECK(backend.Take().bytes == "last");
  rig.UntilAtRest();
  UniqueFd fd;
  uint16_t port = 0;
  CHECK(!BindUdp({"127.0.0.1", rig.port, false}, fd, port).is_set());
}

TEST(HearsNoStrangers, "in a drain sessions go on, and who has none is dropped") {
  UdpRig rig;
  const UdpSocket backend;
  rig.ports[0] = backend.port();
  const UdpSocket client, stranger;
  client.Send(rig.port, "one");
  rig.TakeAt(backend);
  rig.relay().Drain();
  stranger.Send(rig.port, "x");
  client.Send(rig.port, "two");
  CHECK(rig.TakeAt(backend).bytes == "two");
  rig.Until([&] { return rig.block().datagrams_dropped == 1; });
  CHECK_EQ(rig.relay().connection_count(), 1);
}

TEST(ClosesWithItsBackend, "an order to close a backend's connections ends its sessions") {
  UdpRig rig;
  const UdpSocket backend;
  rig.ports[2] = backend.port();
  const UdpSocket client;
  client.Send(rig.port, "one");
  rig.TakeAt(backend);
  rig.relay().CloseBackend(2, EndReason::kBackendDrained);
  CHECK_EQ(rig.ended(EndReason::kBackendDrained), 1);
  rig.CheckAtRest();
}

}  // namespace edgeproxy::test
