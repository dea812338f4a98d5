// Where something is full or used up: workers, channels, descriptors, the queue of commands.
#include <fcntl.h>
#include <sys/resource.h>

#include <vector>

#include "acceptor_rig.h"
#include "check.h"
#include "sockets.h"

namespace edgeproxy::test {

TEST(HoldsBackAtTheLimit, "full workers get no more; clients wait in the kernel's queue until a place is free") {
  Rig rig(2, 5);
  const std::vector<UniqueFd> clients = rig.ConnectClients(30);
  rig.TakeInAll(10);
  const double before_ms = ProcessCpuMs();
  CHECK(!IsReadable(rig.workers[0]->worker_end.get(), 200));
  CHECK_OP(ProcessCpuMs() - before_ms, <, 50);
  CHECK_EQ(Read(rig.acceptor.stats().accepted), 10);
  WaitFor(rig.acceptor.stats().rested, 1);

  rig.region.active(1) -= 2;
  rig.workers[1]->TakeUntil(7);
  CHECK_EQ(rig.region.active(1).load(), 5);
  CHECK_EQ(Read(rig.acceptor.stats().accepted), 12);
  rig.region.active(0) -= 5;
  rig.region.active(1) -= 5;
  rig.TakeInAll(22);
  rig.region.active(0) -= 5;
  rig.region.active(1) -= 5;
  rig.TakeInAll(30);
  CheckServed(clients, SocketsOf(rig));
}

TEST(HoldsBackAtTheMaximum, "with as many connections as all workers may have together, clients wait, and nothing spins") {
  Rig rig(2);
  CHECK(!rig.acceptor.Configure(10'000, {.total = 7}).is_set());
  const std::vector<UniqueFd> clients = rig.ConnectClients(12);
  rig.TakeInAll(7);
  const double before_ms = ProcessCpuMs();
  CHECK(!IsReadable(rig.workers[0]->worker_end.get(), 200));
  CHECK_OP(ProcessCpuMs() - before_ms, <, 50);
  CHECK_EQ(Read(rig.acceptor.stats().accepted), 7);
  rig.region.active(0) -= 2;
  rig.TakeInAll(9);
  CHECK_EQ(Read(rig.acceptor.stats().accepted), 9);
  // Another limit, and none, apply at once.
  CHECK(!rig.acceptor.Configure(10'000, {.total = 8}).is_set());
  rig.TakeInAll(10);
  CHECK(!rig.acceptor.Configure(10'000, {}).is_set());
  rig.TakeInAll(12);
  CheckServed(clients, SocketsOf(rig));
}

TEST(HoldsBackOneListener, "a listener with as many connections as it may have lets its clients wait, and the others go on") {
  Rig rig(2);
  uint16_t other_port = 0;
  const UniqueFd other = ListenOnLoopback(other_port);
  CHECK(!rig.acceptor.AddListener(4, other.get()).is_set());
  CHECK(!rig.acceptor.Configure(10'000, LimitsOf(0, 5)).is_set());
  const std::vector<UniqueFd> clients = rig.ConnectClients(9);
  rig.TakeInAll(5);
  const double before_ms = ProcessCpuMs();
  CHECK(!IsReadable(rig.workers[0]->worker_end.get(), 200));
  CHECK_OP(ProcessCpuMs() - before_ms, <, 50);
  const UniqueFd elsewhere = ConnectClient(other_port);
  rig.TakeInAll(6);
  CHECK_EQ(rig.region.at_listener(3), 5);
  CHECK_EQ(rig.region.at_listener(4), 1);

  rig.region.view().worker(0).listener_active[3] -= 2;
  rig.TakeInAll(8);
  // A dead worker's are nobody's.
  rig.Down(1);
  CHECK_EQ(rig.region.view().worker(1).listener_active[3].load(), 0);
  rig.TakeInAll(10);
}

TEST(StopsWithAFullListener, "stop ends in bounded time where a listener is full") {
  Rig rig(1);
  CHECK(!rig.acceptor.Configure(10'000, LimitsOf(0, 2)).is_set());
  const std::vector<UniqueFd> clients = rig.ConnectClients(10);
  rig.workers[0]->TakeUntil(2);
  CHECK(!rig.acceptor.Stop(kTicket).is_set());
  rig.tickets.Wait(kTicket);
  CHECK_EQ(Read(rig.acceptor.stats().accepted), 2);
}

TEST(GoesAroundAFullChannel, "a worker that does not read gets what its channel holds, the others the rest") {
  Rig rig(2);
  // Fill worker 0's channel with messages that are none of the acceptor's.
  Message filler;
  filler.kind = MessageKind::kCloseListener;
  while (SendMessage(rig.workers[0]->primary_end.get(), filler) == 0) continue;
  const std::vector<UniqueFd> clients = rig.ConnectClients(20);
  rig.workers[1]->TakeUntil(20);
  CHECK_EQ(rig.region.active(0).load(), 0);
  CHECK_EQ(rig.region.active(1).load(), 20);
  CheckServed(clients, SocketsOf(rig));

  // Its messages are dropped when it dies: there is nothing in them for another worker.
  rig.Down(0);
  CHECK_EQ(Read(rig.acceptor.stats().recovered), 0);
}

TEST(KeepsWhatNoChannelTakes, "where every channel is full, accepting stops, and what was accepted arrives when one is read") {
  Rig rig(1);
  Message filler;
  filler.kind = MessageKind::kCloseListener;
  while (SendMessage(rig.workers[0]->primary_end.get(), filler) == 0) continue;
  const std::vector<UniqueFd> clients = rig.ConnectClients(200);
  const double before_ms = ProcessCpuMs();
  CHECK(!IsReadable(clients[0].get(), 100));
  CHECK_OP(ProcessCpuMs() - before_ms, <, 50);
  CHECK_OP(Read(rig.acceptor.stats().accepted), <=, kMessageDescriptors);
  CHECK_EQ(Read(rig.acceptor.stats().handed), 0);

  Message message;
  while (ReceiveMessage(rig.workers[0]->worker_end.get(), message) == 0 && message.kind != MessageKind::kConnections) continue;
  for (uint32_t i = 0; i < message.count; i++) rig.workers[0]->sockets.push_back(std::move(message.sockets[i]));
  rig.workers[0]->TakeUntil(200);
  CheckServed(clients, SocketsOf(rig));
}

TEST(SurvivesExhaustion, "out of descriptors, accepting pauses without spinning, goes on later and loses nobody") {
  Rig rig(1);
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 30; i++) clients.push_back(NewClient());
  rlimit before;
  CHECK_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low = {256, before.rlim_max};
  CHECK_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  std::vector<UniqueFd> fillers;
  for (;;) {
    UniqueFd filler(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!filler.is_open()) break;
    fillers.push_back(std::move(filler));
  }

  for (const UniqueFd& client : clients) CHECK_EQ(Connect(client, rig.port), 0);
  const double before_ms = ProcessCpuMs();
  CHECK(!IsReadable(rig.workers[0]->worker_end.get(), 300));
  CHECK_OP(ProcessCpuMs() - before_ms, <, 50);
  CHECK_EQ(Read(rig.acceptor.stats().accepted), 0);
  WaitFor(rig.acceptor.stats().paused_for_descriptors, 3);

  fillers.clear();
  rig.workers[0]->TakeUntil(30);
  CHECK_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  CheckServed(clients, SocketsOf(rig));
}

TEST(StopIsBounded, "stop ends in bounded time where the workers have no room") {
  Rig rig(1, 2);
  const std::vector<UniqueFd> clients = rig.ConnectClients(10);
  CHECK(!rig.acceptor.Stop(kTicket).is_set());
  rig.tickets.Wait(kTicket);
  rig.workers[0]->TakeUntil(2);
  CHECK_EQ(Read(rig.acceptor.stats().accepted), 2);
}

TEST(StopKeepsWhomItHasAccepted, "stop waits for a full channel to be read, instead of resetting who has been accepted") {
  Rig rig(1);
  Message filler;
  filler.kind = MessageKind::kCloseListener;
  while (SendMessage(rig.workers[0]->primary_end.get(), filler) == 0) continue;
  const std::vector<UniqueFd> clients = rig.ConnectClients(1);
  while (Read(rig.acceptor.stats().accepted) == 0) CHECK(!IsReadable(clients[0].get(), 1));
  CHECK(!rig.acceptor.Stop(kTicket).is_set());
  CHECK(!IsReadable(clients[0].get(), 600));

  Message message;
  while (ReceiveMessage(rig.workers[0]->worker_end.get(), message) == 0 && message.kind != MessageKind::kConnections) continue;
  for (uint32_t i = 0; i < message.count; i++) rig.workers[0]->sockets.push_back(std::move(message.sockets[i]));
  rig.workers[0]->TakeUntil(1);
  rig.tickets.Wait(kTicket);
  CheckServed(clients, SocketsOf(rig));
}

TEST(BoundsItsCommands, "commands beyond the queue's bound are refused with EAGAIN, and the acceptor goes on") {
  Rig rig(1);
  SystemError error;
  for (uint64_t i = 0; i < 1'000'000 && !error.is_set(); i++) error = rig.acceptor.RemoveListener(99'999);
  if (error.is_set()) CHECK_EQ(error.code, EAGAIN);
  const std::vector<UniqueFd> clients = rig.ConnectClients(3);
  rig.workers[0]->TakeUntil(3);
  CheckServed(clients, SocketsOf(rig));
}

}  // namespace edgeproxy::test
