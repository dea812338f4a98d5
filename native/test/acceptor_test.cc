#include "acceptor.h"

#include <fcntl.h>
#include <signal.h>

#include <memory>
#include <vector>

#include "acceptor_rig.h"
#include "check.h"
#include "process_limits.h"
#include "sockets.h"

namespace edgeproxy::test {

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
