// Clients over their rate are reset by the acceptor itself: no worker sees them, no place is taken, nobody waits for them.
#include <cerrno>
#include <vector>

#include "acceptor_rig.h"
#include "check.h"
#include "rate_gate.h"
#include "sockets.h"

namespace edgeproxy::test {

namespace {

constexpr RateRule kRule{1, 90'000, 0x1234567};
constexpr uint32_t kAnHour = 1'000'000'000;  // in ticks

uint32_t NowTicks() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return kRule.TicksAt(static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1'000);
}

// As a worker's RateTable notes that 127.0.0.1 has used up its burst; 0 = that it may come again.
void Exhaust(Rig& rig, uint32_t ticks_ahead = kAnHour) {
  const uint32_t seeds[4] = {};
  const ClientKey key = ClientKey::Of(seeds, ClientKey::kAnyListener, {{0, 0, 0xffff, INADDR_LOOPBACK}, 0});
  RateBucket& bucket = rig.region.view().rate_set(key.set & (kRigRateSets - 1)).buckets[3];
  bucket.tag = key.tag ^ kRule.fingerprint;
  bucket.arrival = static_cast<int32_t>(NowTicks() + ticks_ahead);
}

UniqueFd ConnectFrom(const char* address, uint16_t port) {
  UniqueFd client = NewClient();
  sockaddr_in from{};
  from.sin_family = AF_INET;
  CHECK_EQ(::inet_pton(AF_INET, address, &from.sin_addr), 1);
  CHECK_EQ(::bind(client.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from), 0);
  CHECK_EQ(Connect(client, port), 0);
  return client;
}

// The connect may see the reset itself.
UniqueFd ConnectOrReset(uint16_t port) {
  UniqueFd client = NewClient();
  const int error = Connect(client, port);
  CHECK(error == 0 || error == ECONNRESET);
  return error == 0 ? std::move(client) : UniqueFd();
}

void CheckReset(const UniqueFd& client) {
  if (!client.is_open()) return;
  char byte;
  CHECK(IsReadable(client.get(), kWaitMs));
  CHECK_EQ(::recv(client.get(), &byte, 1, 0), -1);
  CHECK_EQ(errno, ECONNRESET);
}

uint64_t Refused(Rig& rig) { return Read(rig.region.view().acceptor().rate_limited); }

void Limit(Rig& rig, const RateRule& rule, ConnectionLimits limits = {}) {
  CHECK(!rig.acceptor.Configure(10'000, limits, rule).is_set());
}

}  // namespace

TEST(ResetsWhoIsOverItsRate, "a flood from one address is reset and counted exactly, and the others are served") {
  Rig rig(2);
  Limit(rig, kRule);
  Exhaust(rig);
  std::vector<UniqueFd> others;
  for (int turn = 0; turn < 10; turn++) {
    std::vector<UniqueFd> flood;
    for (int i = 0; i < 20; i++) flood.push_back(ConnectOrReset(rig.port));
    others.push_back(ConnectFrom("127.0.0.2", rig.port));
    for (const UniqueFd& client : flood) CheckReset(client);
    CHECK_EQ(Refused(rig), 20u * static_cast<uint32_t>(turn + 1));
  }
  rig.TakeInAll(10);
  CHECK_EQ(SocketsOf(rig).size(), 10);
  for (const UniqueFd& client : others) CHECK(!IsReadable(client.get(), 0));
  CHECK_EQ(rig.region.active(0) + rig.region.active(1), 10);
  WaitFor(rig.acceptor.stats().handed, 10);
  CHECK_EQ(Read(rig.acceptor.stats().accepted), 10);
  CHECK_EQ(Read(rig.acceptor.stats().refused), 200);
}

TEST(SwitchesOver, "another rule, and none, apply to the next client") {
  Rig rig(1);
  Exhaust(rig);
  const UniqueFd before = ConnectClient(rig.port);
  rig.workers[0]->TakeUntil(1);
  Limit(rig, kRule);
  CheckReset(ConnectOrReset(rig.port));
  // Its time has come.
  Exhaust(rig, 0);
  const UniqueFd conforming = ConnectClient(rig.port);
  rig.workers[0]->TakeUntil(2);
  Exhaust(rig);
  CheckReset(ConnectOrReset(rig.port));
  Limit(rig, {});
  const UniqueFd after = ConnectClient(rig.port);
  rig.workers[0]->TakeUntil(3);
  CHECK_EQ(Refused(rig), 2);
}

TEST(NeedsNoPlace, "refused clients take no place of those that a listener has") {
  Rig rig(1);
  Limit(rig, kRule, LimitsOf(2, 2));
  Exhaust(rig);
  const UniqueFd first = ConnectFrom("127.0.0.2", rig.port);
  rig.workers[0]->TakeUntil(1);
  for (int i = 0; i < 100; i++) CheckReset(ConnectOrReset(rig.port));
  const UniqueFd second = ConnectFrom("127.0.0.2", rig.port);
  rig.workers[0]->TakeUntil(2);
  CHECK_EQ(rig.region.at_listener(3), 2);
}

TEST(KeepsTheTurns, "a queue full of refused clients neither pauses the acceptor nor holds up another listener") {
  Rig rig(1, 10'000, false);
  uint16_t other_port = 0;
  const UniqueFd other = ListenOnLoopback(other_port);
  CHECK(!rig.acceptor.AddListener(4, other.get()).is_set());
  Limit(rig, kRule);
  Exhaust(rig);
  // No worker yet: they all wait in the queues.
  std::vector<UniqueFd> flood;
  for (int i = 0; i < 500; i++) flood.push_back(ConnectClient(rig.port));
  const UniqueFd behind = ConnectFrom("127.0.0.2", rig.port);
  const UniqueFd elsewhere = ConnectFrom("127.0.0.2", other_port);
  rig.workers[0]->Up(rig.acceptor, 0);
  // Held back by at most one listener's share of a round, whichever listener has the first turn.
  rig.workers[0]->TakeUntil(1);
  CHECK_EQ(rig.workers[0]->sockets[0].listener, 4);
  rig.workers[0]->TakeUntil(2);
  for (const UniqueFd& client : flood) CheckReset(client);
  CHECK_EQ(Refused(rig), 500);
  CHECK_EQ(Read(rig.acceptor.stats().paused_for_descriptors), 0);
}

TEST(StopsUnderAFlood, "stop empties a queue of refused clients and serves whom it finds among them") {
  Rig rig(1, 10'000, false);
  Limit(rig, kRule);
  Exhaust(rig);
  std::vector<UniqueFd> flood;
  for (int i = 0; i < 100; i++) flood.push_back(ConnectClient(rig.port));
  const UniqueFd behind = ConnectFrom("127.0.0.2", rig.port);
  rig.workers[0]->Up(rig.acceptor, 0);
  CHECK(!rig.acceptor.Stop(kTicket).is_set());
  rig.tickets.Wait(kTicket);
  rig.workers[0]->TakeUntil(1);
  for (const UniqueFd& client : flood) CheckReset(client);
  CHECK_EQ(Refused(rig), 100);
}

}  // namespace edgeproxy::test
