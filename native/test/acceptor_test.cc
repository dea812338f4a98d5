#include "acceptor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "check.h"
#include "fake_workers.h"
#include "process_limits.h"
#include "sockets.h"

namespace edgeproxy::test {

namespace {

constexpr uint64_t kTicket = 7;

// A running acceptor with one listener and `count` live workers.
struct Rig {
  ControlRegion region;
  Tickets tickets;
  Acceptor acceptor;
  uint16_t port = 0;
  UniqueFd listener;
  std::vector<std::unique_ptr<FakeWorker>> workers;

  explicit Rig(uint32_t count, int32_t max_connections = 10'000, bool are_up = true)
      : region(count), acceptor({region.view(), max_connections, 150}, tickets), listener(ListenOnLoopback(port)) {
    CHECK(!acceptor.Start().is_set());
    CHECK(!acceptor.AddListener(3, listener.get()).is_set());
    for (uint32_t i = 0; i < count; i++) {
      workers.push_back(std::make_unique<FakeWorker>());
      if (are_up) workers[i]->Up(acceptor, i);
    }
  }

  std::vector<UniqueFd> ConnectClients(size_t count) {
    std::vector<UniqueFd> clients;
    for (size_t i = 0; i < count; i++) clients.push_back(ConnectClient(port));
    return clients;
  }
  void Down(uint32_t index, uint64_t ticket = kTicket) {
    CHECK(!acceptor.WorkerDown(index, ticket).is_set());
    tickets.Wait(ticket);
  }
  // Reads every worker's channel until `count` sockets have arrived in all.
  void TakeInAll(size_t count) {
    for (;;) {
      size_t taken = 0;
      for (auto& worker : workers) {
        while (worker->TakeMessage(0)) continue;
        taken += worker->sockets.size();
      }
      if (taken >= count) return;
      std::vector<pollfd> ends;
      for (auto& worker : workers) ends.push_back({worker->worker_end.get(), POLLIN, 0});
      CHECK_OP(::poll(ends.data(), ends.size(), kWaitMs), >, 0);
    }
  }
};

// Every client's other end is among `sockets`, once, under the right peer and listener, and carries bytes both ways.
void CheckServed(const std::vector<UniqueFd>& clients, std::vector<HandedSocket*> sockets) {
  CHECK_EQ(sockets.size(), clients.size());
  for (const UniqueFd& client : clients) {
    const uint16_t port = LocalPort(client.get());
    const auto match = [&](const HandedSocket* socket) { return socket->peer.port == port; };
    CHECK_EQ(std::count_if(sockets.begin(), sockets.end(), match), 1);
    const HandedSocket& socket = **std::find_if(sockets.begin(), sockets.end(), match);
    CHECK_EQ(socket.listener, 3);
    CHECK_EQ(socket.peer.words[3], INADDR_LOOPBACK);
    CheckConnected(client.get(), socket.fd.get(), 'a');
    CheckConnected(socket.fd.get(), client.get(), 'b');
  }
}

std::vector<HandedSocket*> SocketsOf(Rig& rig) {
  std::vector<HandedSocket*> all;
  for (auto& worker : rig.workers) {
    for (HandedSocket& socket : worker->sockets) all.push_back(&socket);
  }
  return all;
}

uint64_t Read(const std::atomic<uint64_t>& counter) { return counter.load(std::memory_order_relaxed); }

// The acceptor counts after it has sent: a message may be here before its count is.
void WaitFor(const std::atomic<uint64_t>& counter, uint64_t count) {
  for (int waited_ms = 0; Read(counter) < count; waited_ms++) {
    CHECK_OP(waited_ms, <, kWaitMs);
    ::poll(nullptr, 0, 1);
  }
}

}  // namespace

TEST(Balances, "2,000 long-lived connections over 4 workers are balanced") {
  FileLimit limit;
  CHECK(!RaiseFileLimit(limit).is_set());
  const size_t count = limit.soft > 4'200 ? 2'000 : 400;
  Rig rig(4);
  const std::vector<UniqueFd> clients = rig.ConnectClients(count);
  rig.TakeInAll(count);
  for (uint32_t i = 0; i < 4; i++) {
    CHECK_EQ(rig.workers[i]->sockets.size(), count / 4);
    CHECK_EQ(rig.region.active(i).load(), count / 4);
  }
  CHECK_EQ(Read(rig.acceptor.stats().accepted), count);
  WaitFor(rig.acceptor.stats().handed, count);
}

TEST(FollowsLoad, "new connections go to the worker that has the fewest") {
  Rig rig(3);
  rig.region.active(0) = 5;
  rig.region.active(1) = 2;
  rig.region.active(2) = 9;
  const std::vector<UniqueFd> clients = rig.ConnectClients(14);
  rig.TakeInAll(14);
  CHECK_EQ(rig.workers[0]->sockets.size(), 5);
  CHECK_EQ(rig.workers[1]->sockets.size(), 8);
  CHECK_EQ(rig.workers[2]->sockets.size(), 1);
}

TEST(DeliversUsableSockets, "each socket arrives once with its peer and listener, non-blocking and close-on-exec") {
  Rig rig(2);
  const std::vector<UniqueFd> clients = rig.ConnectClients(50);
  rig.TakeInAll(50);
  CheckServed(clients, SocketsOf(rig));
  for (const HandedSocket* socket : SocketsOf(rig)) {
    CHECK((::fcntl(socket->fd.get(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK_EQ(::fcntl(socket->fd.get(), F_GETFD), FD_CLOEXEC);
  }
}

TEST(SavesQueuedClients, "what a dead worker had not read goes to another, and no client is reset") {
  Rig rig(2);
  const std::vector<UniqueFd> clients = rig.ConnectClients(40);
  WaitFor(rig.acceptor.stats().handed, 40);
  rig.Down(0);
  CHECK_EQ(rig.region.active(0).load(), 0);
  CHECK_EQ(rig.region.active(1).load(), 40);
  rig.workers[1]->TakeUntil(40);
  CheckServed(clients, SocketsOf(rig));
  CHECK_EQ(Read(rig.acceptor.stats().recovered), 20);
  CHECK_EQ(Read(rig.acceptor.stats().lost), 0);
}

TEST(KeepsClientsForTheSuccessor, "without a live worker, clients wait for the next one of the same index") {
  Rig rig(1);
  std::vector<UniqueFd> clients = rig.ConnectClients(100);
  WaitFor(rig.acceptor.stats().handed, 100);
  rig.Down(0);
  CHECK_EQ(rig.region.active(0).load(), 0);
  for (UniqueFd& client : rig.ConnectClients(5)) clients.push_back(std::move(client));
  CHECK_EQ(Read(rig.acceptor.stats().accepted), 100);

  rig.workers[0] = std::make_unique<FakeWorker>();
  rig.workers[0]->Up(rig.acceptor, 0);
  rig.workers[0]->TakeUntil(105);
  CheckServed(clients, SocketsOf(rig));
  CHECK_EQ(rig.region.active(0).load(), 105);
}

TEST(ReplacesAWorkerInPlace, "a worker that comes up again before it was reported down gets what its predecessor left") {
  Rig rig(1);
  const std::vector<UniqueFd> clients = rig.ConnectClients(10);
  WaitFor(rig.acceptor.stats().handed, 10);
  rig.workers[0] = std::make_unique<FakeWorker>();
  rig.workers[0]->Up(rig.acceptor, 0);
  rig.workers[0]->TakeUntil(10);
  CheckServed(clients, SocketsOf(rig));
  CHECK_EQ(rig.region.active(0).load(), 10);
}

TEST(HoldsBackAtTheLimit, "full workers get no more; clients wait in the kernel's queue until a place is free") {
  Rig rig(2, 5);
  const std::vector<UniqueFd> clients = rig.ConnectClients(30);
  rig.TakeInAll(10);
  const double before_ms = ProcessCpuMs();
  CHECK(!IsReadable(rig.workers[0]->worker_end.get(), 200));
  CHECK_OP(ProcessCpuMs() - before_ms, <, 50);
  CHECK_EQ(Read(rig.acceptor.stats().accepted), 10);
  CHECK_OP(Read(rig.acceptor.stats().rested), >=, 1);

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
  CHECK_OP(Read(rig.acceptor.stats().paused_for_descriptors), >=, 3);
  CHECK_OP(Read(rig.acceptor.stats().paused_for_descriptors), <=, 20);

  fillers.clear();
  rig.workers[0]->TakeUntil(30);
  CHECK_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  CheckServed(clients, SocketsOf(rig));
}

TEST(StopDrains, "stop empties the queue of each listener a last time, and then nothing is accepted any more") {
  Rig rig(2, 10'000, false);
  const std::vector<UniqueFd> clients = rig.ConnectClients(300);
  rig.workers[0]->Up(rig.acceptor, 0);
  rig.workers[1]->Up(rig.acceptor, 1);
  CHECK(!rig.acceptor.Stop(kTicket).is_set());
  rig.tickets.Wait(kTicket);
  CHECK_EQ(Read(rig.acceptor.stats().handed), 300);
  rig.TakeInAll(300);
  CheckServed(clients, SocketsOf(rig));

  // The listener itself is the caller's, and still open: this client is queued there for as long.
  const UniqueFd late = ConnectClient(rig.port);
  CHECK(!rig.acceptor.Stop(kTicket + 1).is_set());
  rig.tickets.Wait(kTicket + 1);
  CHECK_EQ(Read(rig.acceptor.stats().accepted), 300);
}

TEST(StopIsBounded, "stop ends in bounded time where the workers have no room") {
  Rig rig(1, 2);
  const std::vector<UniqueFd> clients = rig.ConnectClients(10);
  CHECK(!rig.acceptor.Stop(kTicket).is_set());
  rig.tickets.Wait(kTicket);
  rig.workers[0]->TakeUntil(2);
  CHECK_EQ(Read(rig.acceptor.stats().accepted), 2);
}

TEST(RemovesListeners, "a listener that was removed keeps its queue, also where its descriptor's number is used again") {
  Rig rig(1);
  CHECK(!rig.acceptor.RemoveListener(rig.listener.get()).is_set());
  CHECK(!rig.acceptor.WorkerDown(0, kTicket).is_set());
  rig.tickets.Wait(kTicket);
  rig.workers[0]->Up(rig.acceptor, 0);
  const UniqueFd client = ConnectClient(rig.port);
  CHECK(IsReadable(rig.listener.get(), kWaitMs));
  const UniqueFd accepted(::accept4(rig.listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  CHECK(accepted.is_open());
  CheckConnected(client.get(), accepted.get(), 'x');

  const int number = rig.listener.get();
  rig.listener.Reset();
  rig.listener = ListenOnLoopback(rig.port);
  CHECK_EQ(rig.listener.get(), number);
  CHECK(!rig.acceptor.AddListener(3, number).is_set());
  CHECK(!rig.acceptor.RemoveListener(number + 1000).is_set());
  const std::vector<UniqueFd> clients = rig.ConnectClients(3);
  rig.workers[0]->TakeUntil(3);
  CheckServed(clients, SocketsOf(rig));
}

TEST(RefusesWhatDoesNotListen, "only a listening socket can be added; a broken one is given up, not spun on") {
  Rig rig(1);
  const UniqueFd client = NewClient();
  CHECK_EQ(rig.acceptor.AddListener(1, client.get()).code, EINVAL);
  CHECK_EQ(rig.acceptor.AddListener(1, 99'999).code, EBADF);

  CHECK_EQ(::shutdown(rig.listener.get(), SHUT_RD), 0);
  WaitFor(rig.acceptor.stats().broken_listeners, 1);
  const double before_ms = ProcessCpuMs();
  CHECK(!IsReadable(rig.workers[0]->worker_end.get(), 100));
  CHECK_OP(ProcessCpuMs() - before_ms, <, 50);
}

TEST(CloseCompletesEverything, "close carries out what was asked, tells every ticket, and may be called twice") {
  Rig rig(4);
  const std::vector<UniqueFd> clients = rig.ConnectClients(20);
  for (uint32_t i = 0; i < 4; i++) CHECK(!rig.acceptor.WorkerDown(i, 100 + i).is_set());
  CHECK(!rig.acceptor.Stop(200).is_set());
  rig.acceptor.Close();
  for (uint32_t i = 0; i < 4; i++) CHECK(rig.tickets.IsDone(100 + i));
  CHECK(rig.tickets.IsDone(200));
  rig.acceptor.Close();
  CHECK_EQ(rig.acceptor.Stop(201).code, ESHUTDOWN);
  CHECK_EQ(rig.acceptor.AddListener(1, rig.listener.get()).code, ESHUTDOWN);
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

TEST(LeavesSignalsAlone, "a signal to the process never runs on the acceptor's thread") {
  static pthread_t handler_thread;
  struct sigaction action{};
  action.sa_handler = [](int) { handler_thread = ::pthread_self(); };
  CHECK_EQ(::sigaction(SIGUSR1, &action, nullptr), 0);
  Rig rig(1);
  for (int i = 0; i < 20; i++) {
    CHECK_EQ(::kill(::getpid(), SIGUSR1), 0);
    CHECK(::pthread_equal(handler_thread, ::pthread_self()));
  }
}

}  // namespace edgeproxy::test
