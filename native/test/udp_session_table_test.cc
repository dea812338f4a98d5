#include "udp_session_table.h"

#include <map>
#include <random>
#include <set>

#include "check.h"

namespace edgeproxy::test {

namespace {
constexpr uint32_t kSeeds[4] = {1, 2, 3, 4};

UdpKey KeyOf(uint32_t client, uint32_t port, uint32_t listener = 0, uint32_t local = 0) {
  UdpKey key;
  key.client = {{0, 0, 0xffff, client}, port};
  key.listener = listener;
  key.local[3] = local;
  return key;
}
}  // namespace

TEST(FindsWhatWasInserted, "a table of sessions is a map of their keys, whatever is inserted and removed") {
  std::minstd_rand dice(3);
  UdpSessionTable table(kSeeds);
  std::map<uint32_t, UdpSession*> model;
  for (int i = 0; i < 50'000; i++) {
    const uint32_t id = dice() % 4096;
    const UdpKey key = KeyOf(id % 16, id / 16);
    UdpSession* found = table.Find(key, table.HashOf(key));
    const auto known = model.find(id);
    CHECK(found == (known == model.end() ? nullptr : known->second));
    if (found == nullptr) {
      UdpSession& session = table.Insert(key, table.HashOf(key));
      session.phase = UdpPhase::kRelaying;
      model[id] = &session;
    } else if (dice() % 2 == 0) {
      table.Remove(*found);
      model.erase(id);
    }
    CHECK_EQ(table.in_use(), model.size());
  }
}

TEST(TellsSessionsApart, "by address, port, listener, the address sent to and the interface") {
  UdpSessionTable table(kSeeds);
  UdpKey scoped = KeyOf(1, 1);
  scoped.scope = 2;
  const UdpKey keys[] = {KeyOf(1, 1), KeyOf(2, 1), KeyOf(1, 2), KeyOf(1, 1, 1), KeyOf(1, 1, 0, 5), scoped};
  std::set<uint64_t> hashes;
  for (const UdpKey& key : keys) {
    CHECK(table.Find(key, table.HashOf(key)) == nullptr);
    table.Insert(key, table.HashOf(key));
    hashes.insert(table.HashOf(key));
  }
  CHECK_EQ(hashes.size(), 6);
}

TEST(HashesByItsKey, "other seeds, other hashes, and every bit of a port moves half of a hash's bits") {
  constexpr uint32_t kOthers[4] = {1, 2, 3, 5};
  const UdpSessionTable table(kSeeds), other(kOthers);
  CHECK(table.HashOf(KeyOf(1, 1)) != other.HashOf(KeyOf(1, 1)));
  int moved = 0;
  for (uint32_t port = 0; port < 1000; port++) {
    moved += std::popcount(table.HashOf(KeyOf(1, port)) ^ table.HashOf(KeyOf(1, port ^ 1)));
  }
  CHECK_OP(moved / 1000, >=, 30);
  CHECK_OP(moved / 1000, <=, 34);
}

TEST(CountsAddresses, "sessions of an address are counted at each listener, of IPv6 those of the /64") {
  UdpClients clients{KeyedHash(kSeeds)};
  const PeerAddress v4{{0, 0, 0xffff, 7}, 1}, neighbour{{0, 0, 0xffff, 8}, 1};
  const PeerAddress v6{{0x20010db8, 1, 2, 3}, 1}, same{{0x20010db8, 1, 9, 9}, 1}, another{{0x20010db8, 2, 2, 3}, 1};
  const uint32_t entry = clients.Enter(0, v4, 2);
  CHECK_EQ(clients.Enter(0, v4, 2), entry);
  CHECK_EQ(clients.Enter(0, v4, 2), UdpClients::kNone);
  CHECK(clients.Enter(1, v4, 2) != UdpClients::kNone);
  CHECK(clients.Enter(0, neighbour, 2) != UdpClients::kNone);
  clients.Leave(entry);
  CHECK(clients.Enter(0, v4, 2) != UdpClients::kNone);
  CHECK(clients.Enter(0, v4, 0) != UdpClients::kNone);
  CHECK(clients.Enter(0, v6, 1) != UdpClients::kNone);
  CHECK_EQ(clients.Enter(0, same, 1), UdpClients::kNone);
  CHECK(clients.Enter(0, another, 1) != UdpClients::kNone);
  CHECK_EQ(clients.count(), 5);
}

}  // namespace edgeproxy::test
