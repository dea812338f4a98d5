// Who asks for the connections that there are, and for the end of some.
#include <string>
#include <vector>

#include "relay_peers.h"
#include "udp_peers.h"

namespace edgeproxy::test {

namespace {
constexpr uint64_t kEnd = ConnectionPage::kEnd;

// What a worker asks for its connections with.
struct Lister {
  explicit Lister(RelayRig& of) : rig(of), records(kMostListed), names(kMostListed * kRecordNameBytes) {}

  ConnectionPage Page(uint64_t from, uint32_t most, const ConnectionFilter& filter = {}) {
    return rig.relay().List(filter, from, most, {records.data(), names.data()});
  }
  // All of them, by pages of `most`.
  std::vector<ConnectionRecord> All(uint32_t most = kMostListed, const ConnectionFilter& filter = {}) {
    std::vector<ConnectionRecord> all;
    for (uint64_t from = 0; from != kEnd;) {
      const ConnectionPage page = Page(from, most, filter);
      CHECK_OP(page.count, <=, most);
      all.insert(all.end(), records.begin(), records.begin() + page.count);
      from = page.next;
    }
    return all;
  }

  RelayRig& rig;
  std::vector<ConnectionRecord> records;
  std::vector<unsigned char> names;
};

ConnectionId IdOf(const ConnectionRecord& record) {
  return {record.is_udp != 0, static_cast<uint32_t>(record.index), static_cast<uint32_t>(record.generation)};
}
double StateNumber(ConnectionState state) { return static_cast<double>(state); }
}  // namespace

TEST(ListsWhatIsRelayed, "a connection is told of with its ends, its backend, its state and its bytes") {
  RelayRig rig;
  const Backend backend;
  rig.ports[2] = backend.port;
  const Pair pair = Relayed(rig, backend);
  Send(pair.upstream, "an answer");
  Expect(rig, pair.client, "an answer");
  const auto all = Lister(rig).All();
  CHECK_EQ(all.size(), 1);
  const ConnectionRecord& record = all[0];
  CHECK_EQ(record.state, StateNumber(ConnectionState::kRelaying));
  CHECK_EQ(record.slot, 2);
  CHECK_EQ(record.listener, kListenerId);
  CHECK_EQ(record.backend_port, backend.port);
  CHECK_EQ(record.backend_address[3], uint32_t{INADDR_LOOPBACK});
  CHECK_EQ(record.client_address[2], 0xffff);
  CHECK_OP(record.client_port, >, 0);
  CHECK_EQ(record.bytes_from_client, 5);
  CHECK_EQ(record.bytes_to_client, 9);
  CHECK_OP(record.idle_ms, <=, record.age_ms);
  ::shutdown(pair.client.get(), SHUT_WR);
  Expect(rig, pair.upstream, "(end)");
  CHECK_EQ(Lister(rig).All()[0].state, StateNumber(ConnectionState::kClientFinished));
  rig.relay().Close();
  CHECK(Lister(rig).All().empty());
}

TEST(ListsByPages, "each connection is on one page, and a filter has its own alone") {
  RelayRig rig;
  const Backend even, odd;
  rig.ports[0] = even.port;
  rig.ports[1] = odd.port;
  int next = 0;
  rig.choose = [&](const RouteRequest&) { return next++ % 2; };
  std::vector<UniqueFd> clients, upstreams;
  for (int i = 0; i < 20; i++) {
    clients.push_back(rig.Admit());
    upstreams.push_back(AcceptThrough(rig, i % 2 == 0 ? even : odd));
  }
  Lister lister(rig);
  for (const uint32_t most : {1u, 7u, 20u, kMostListed, kMostListed + 1}) {
    const auto all = lister.All(most);
    CHECK_EQ(all.size(), 20);
    for (size_t i = 1; i < all.size(); i++) CHECK_OP(all[i - 1].index, <, all[i].index);
  }
  CHECK_EQ(lister.All(kMostListed, {.slot = 1}).size(), 10);
  CHECK_EQ(lister.All(kMostListed, {.listener = kListenerId}).size(), 20);
  CHECK_EQ(lister.All(kMostListed, {.listener = kListenerId + 1}).size(), 0);
  CHECK_EQ(lister.All(kMostListed, {.network = {0, 0, 0xffff, INADDR_LOOPBACK}, .prefix_bits = 128}).size(), 20);
  CHECK_EQ(lister.All(kMostListed, {.network = {0, 0, 0xffff, INADDR_LOOPBACK + 1}, .prefix_bits = 128}).size(), 0);
  CHECK_EQ(lister.All(kMostListed, {.network = {0, 0, 0xffff, INADDR_LOOPBACK + 1}, .prefix_bits = 127}).size(), 0);
  CHECK_EQ(lister.All(kMostListed, {.network = {0, 0, 0xffff, INADDR_LOOPBACK + 1}, .prefix_bits = 104}).size(), 20);
  CHECK_EQ(lister.Page(uint64_t{1} << 31, 1).count, 0);
  CHECK_EQ(lister.Page(kEnd - 1, 1).next, kEnd);
}

TEST(KillsOne, "both sides are reset, every place comes back, and its id is nobody's from then on") {
  RelayRig rig;
  const Backend backend;
  rig.ports[0] = backend.port;
  rig.client_word = RelayRig::kClientWord;
  const Pair pair = Relayed(rig, backend);
  const ConnectionId id = IdOf(Lister(rig).All()[0]);
  CHECK(!rig.relay().Kill({true, id.index, id.generation}));
  CHECK(!rig.relay().Kill({false, id.index, id.generation + 1}));
  CHECK(!rig.relay().Kill({false, id.index + 100'000, id.generation}));
  CHECK(rig.relay().Kill(id));
  Expect(rig, pair.client, "(reset)");
  Expect(rig, pair.upstream, "(reset)");
  CHECK_EQ(rig.ended(EndReason::kKilled), 1);
  rig.UntilAtRest();
  const Pair next = Relayed(rig, backend);
  CHECK_EQ(Lister(rig).All()[0].index, id.index);
  CHECK(!rig.relay().Kill(id));
  Send(next.client, "lives");
  Expect(rig, next.upstream, "lives");
}

TEST(KillsWhoConnects, "a client whose backend does not answer is turned away") {
  RelayRig rig;
  const Blackhole hole;
  rig.ports[0] = hole.port;
  const UniqueFd client = rig.Admit();
  rig.Until([&] { return rig.active(0) == 1; });
  const auto all = Lister(rig).All();
  CHECK_EQ(all[0].state, StateNumber(ConnectionState::kConnecting));
  CHECK(rig.relay().Kill(IdOf(all[0])));
  Expect(rig, client, "(reset)");
  CHECK_EQ(rig.rejected(RejectReason::kKilled), 1);
  CHECK_EQ(rig.ended(EndReason::kKilled), 0);
  rig.UntilAtRest();
}

TEST(KillsMany, "those that are wanted, a bounded number at a time, and nobody else") {
  RelayRig rig;
  const Backend kept, killed;
  rig.ports[0] = kept.port;
  rig.ports[1] = killed.port;
  int next = 0;
  rig.choose = [&](const RouteRequest&) { return next++ % 2; };
  std::vector<UniqueFd> clients, upstreams;
  constexpr int kClients = 160;
  for (int i = 0; i < kClients; i++) {
    clients.push_back(rig.Admit());
    upstreams.push_back(AcceptThrough(rig, i % 2 == 0 ? kept : killed));
  }
  uint32_t count = 0;
  for (uint64_t from = 0; from != kEnd;) {
    const ConnectionPage page = rig.relay().KillMany({.slot = 1}, from, UINT32_MAX);
    CHECK_OP(page.count, <=, 64);
    count += page.count;
    from = page.next;
  }
  CHECK_EQ(count, kClients / 2);
  CHECK_EQ(rig.ended(EndReason::kKilled), kClients / 2);
  CHECK_EQ(rig.active(1), 0);
  CHECK_EQ(rig.active(0), kClients / 2);
  for (int i = 0; i < kClients; i += 2) Send(clients[static_cast<size_t>(i)], "x");
  for (int i = 0; i < kClients; i += 2) Expect(rig, upstreams[static_cast<size_t>(i)], "x");
  rig.relay().Close();
  CHECK(!rig.relay().Kill({false, 0, 0}));
  CHECK_EQ(rig.relay().KillMany({}, 0, 1).next, kEnd);
}

TEST(ListsAndKillsSessions, "UDP sessions are told of behind the connections, and end") {
  UdpRig rig;
  const UdpSocket backend;
  rig.ports[3] = backend.port();
  const UdpSocket one, two;
  one.Send(rig.port, "one");
  const Received first = rig.TakeAt(backend);
  two.Send(rig.port, "two");
  rig.TakeAt(backend);
  backend.Send(first.port, "answer");
  rig.TakeAt(one);
  Lister lister(rig);
  const auto all = lister.All(1);
  CHECK_EQ(all.size(), 2);
  CHECK_EQ(all[0].is_udp, 1);
  CHECK_EQ(all[0].client_port, one.port());
  CHECK_EQ(all[0].backend_port, backend.port());
  CHECK_EQ(all[0].slot, 3);
  CHECK_EQ(all[0].bytes_from_client, 3);
  CHECK_EQ(all[0].bytes_to_client, 6);
  CHECK(rig.relay().Kill(IdOf(all[0])));
  CHECK(!rig.relay().Kill(IdOf(all[0])));
  CHECK_EQ(rig.relay().KillMany({.slot = 3}, 0, 10).count, 1);
  CHECK_EQ(rig.ended(EndReason::kKilled), 2);
  CHECK(lister.All().empty());
  rig.CheckAtRest();
}

}  // namespace edgeproxy::test
