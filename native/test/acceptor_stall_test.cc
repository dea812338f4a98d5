// Workers that live and do not read, and workers that take no new clients.
#include <sys/eventfd.h>

#include <vector>

#include "acceptor_rig.h"
#include "channel.h"
#include "check.h"
#include "sockets.h"

namespace edgeproxy::test {

namespace {

void SendOrder(const FakeWorker& worker, MessageKind kind, uint32_t argument) {
  Message message;
  message.kind = kind;
  message.argument = argument;
  if (kind != MessageKind::kCloseListener) {
    message.count = 1;
    message.sockets[0].fd.Reset(::eventfd(argument, EFD_CLOEXEC | EFD_NONBLOCK));
  }
  CHECK_EQ(SendMessage(worker.primary_end.get(), message), 0);
}

// The next message is that order, with the descriptor that was sent with it.
void CheckOrder(const FakeWorker& worker, MessageKind kind, uint32_t argument) {
  CHECK(IsReadable(worker.worker_end.get(), kWaitMs));
  Message message;
  CHECK_EQ(ReceiveMessage(worker.worker_end.get(), message), 0);
  CHECK(message.kind == kind);
  CHECK_EQ(message.argument, argument);
  if (kind == MessageKind::kCloseListener) return;
  eventfd_t value = 0;
  CHECK_EQ(::eventfd_read(message.sockets[0].fd.get(), &value), 0);
  CHECK_EQ(value, argument);
}

void Stall(Rig& rig, uint32_t index, uint64_t ticket = kTicket) {
  CHECK(!rig.acceptor.WorkerStalled(index, ticket).is_set());
  rig.tickets.Wait(ticket);
}

void Resume(Rig& rig, uint32_t index) { CHECK(!rig.acceptor.WorkerResumed(index).is_set()); }

void Shed(Rig& rig, uint32_t index, int32_t bits) { rig.region.view().worker(index).shedding = bits; }

}  // namespace

TEST(GivesUnreadClientsToOthers, "what a stalled worker had not read goes to another; what it holds stays counted") {
  Rig rig(2);
  const std::vector<UniqueFd> clients = rig.ConnectClients(40);
  WaitFor(rig.acceptor.stats().handed, 40);
  CHECK(rig.workers[0]->TakeMessage(kWaitMs));
  const size_t read = rig.workers[0]->sockets.size();
  Stall(rig, 0);
  CHECK_EQ(rig.region.active(0).load(), read);
  CHECK_EQ(rig.region.active(1).load(), 40 - read);
  rig.workers[1]->TakeUntil(40 - read);
  CheckServed(clients, SocketsOf(rig));
  CHECK_EQ(Read(rig.acceptor.stats().recovered), 20 - read);
}

TEST(GivesAStalledWorkerNothing, "a stalled worker gets no client, however few it has, until it is resumed") {
  Rig rig(2);
  Stall(rig, 0);
  rig.region.active(1) = 500;
  const std::vector<UniqueFd> clients = rig.ConnectClients(30);
  rig.workers[1]->TakeUntil(30);
  CHECK(!IsReadable(rig.workers[0]->worker_end.get(), 0));
  CHECK_EQ(rig.region.active(0).load(), 0);
  Resume(rig, 0);
  const std::vector<UniqueFd> more = rig.ConnectClients(30);
  rig.workers[0]->TakeUntil(30);
}

TEST(KeepsOrders, "regions and listeners that were in the channel are there again, in order, and with their descriptors") {
  Rig rig(2);
  SendOrder(*rig.workers[0], MessageKind::kRegion, 1);
  const std::vector<UniqueFd> clients = rig.ConnectClients(20);
  WaitFor(rig.acceptor.stats().handed, 20);
  SendOrder(*rig.workers[0], MessageKind::kListener, 2);
  SendOrder(*rig.workers[0], MessageKind::kCloseListener, 2);
  SendOrder(*rig.workers[0], MessageKind::kRegion, 3);
  Stall(rig, 0);
  rig.workers[1]->TakeUntil(20);
  CheckOrder(*rig.workers[0], MessageKind::kRegion, 1);
  CheckOrder(*rig.workers[0], MessageKind::kListener, 2);
  CheckOrder(*rig.workers[0], MessageKind::kCloseListener, 2);
  CheckOrder(*rig.workers[0], MessageKind::kRegion, 3);
  CHECK(!IsReadable(rig.workers[0]->worker_end.get(), 0));
}

TEST(PutsBackWhatFits, "where the channel does not take all of them at once, the rest follows as the worker reads") {
  Rig rig(2);
  FakeWorker& worker = *rig.workers[0];
  constexpr uint32_t kOrders = 12;
  for (uint32_t i = 1; i <= kOrders; i++) SendOrder(worker, MessageKind::kRegion, i);
  const int least_bytes = 1;
  CHECK_EQ(::setsockopt(worker.primary_end.get(), SOL_SOCKET, SO_SNDBUF, &least_bytes, sizeof least_bytes), 0);
  CHECK(!rig.acceptor.WorkerStalled(0, kTicket).is_set());
  // The other one is served meanwhile.
  const std::vector<UniqueFd> clients = rig.ConnectClients(5);
  rig.workers[1]->TakeUntil(5);
  CHECK(!rig.tickets.IsDone(kTicket));
  Resume(rig, 0);
  for (uint32_t i = 1; i <= kOrders; i++) CheckOrder(worker, MessageKind::kRegion, i);
  rig.tickets.Wait(kTicket);
  const std::vector<UniqueFd> more = rig.ConnectClients(5);
  worker.TakeUntil(5);
}

TEST(KeepsClientsWhileAllStall, "while every worker is stalled clients wait, and who resumes first serves them") {
  Rig rig(2);
  std::vector<UniqueFd> clients = rig.ConnectClients(20);
  WaitFor(rig.acceptor.stats().handed, 20);
  Stall(rig, 0, 1);
  Stall(rig, 1, 2);
  CHECK_EQ(rig.region.active(0).load() + rig.region.active(1).load(), 0);
  for (UniqueFd& client : rig.ConnectClients(5)) clients.push_back(std::move(client));
  Resume(rig, 1);
  rig.workers[1]->TakeUntil(25);
  CheckServed(clients, SocketsOf(rig));
}

TEST(BuriesAStalledWorker, "a stalled worker that dies leaves its place to a successor, which gets clients") {
  Rig rig(2);
  const std::vector<UniqueFd> clients = rig.ConnectClients(10);
  WaitFor(rig.acceptor.stats().handed, 10);
  SendOrder(*rig.workers[0], MessageKind::kRegion, 1);
  rig.region.active(0).fetch_add(7);
  Stall(rig, 0, 1);
  CHECK_EQ(rig.region.active(0).load(), 7);
  rig.Down(0, 2);
  CHECK_EQ(rig.region.active(0).load(), 0);
  // Late words about the dead one change nothing, twice as little.
  Resume(rig, 0);
  Stall(rig, 0, 3);
  Resume(rig, 0);
  rig.workers[0] = std::make_unique<FakeWorker>();
  rig.workers[0]->Up(rig.acceptor, 0);
  const std::vector<UniqueFd> more = rig.ConnectClients(10);
  rig.workers[0]->TakeUntil(10);
  rig.workers[1]->TakeUntil(10);
}

TEST(TellsWaitersAtTheEnd, "an acceptor that ends tells whoever waits for a stalled worker") {
  Rig rig(1);
  for (uint32_t i = 1; i <= 12; i++) SendOrder(*rig.workers[0], MessageKind::kRegion, i);
  const int least_bytes = 1;
  CHECK_EQ(::setsockopt(rig.workers[0]->primary_end.get(), SOL_SOCKET, SO_SNDBUF, &least_bytes, sizeof least_bytes), 0);
  CHECK(!rig.acceptor.WorkerStalled(0, kTicket).is_set());
  rig.acceptor.Close();
  CHECK(rig.tickets.IsDone(kTicket));
}

TEST(SparesWorkersThatShed, "a worker that sheds load gets no client while another takes them") {
  Rig rig(3);
  Shed(rig, 0, 1);
  rig.region.active(1) = 100;
  const std::vector<UniqueFd> clients = rig.ConnectClients(40);
  rig.workers[2]->TakeUntil(40);
  Shed(rig, 2, 4);
  const std::vector<UniqueFd> more = rig.ConnectClients(10);
  rig.workers[1]->TakeUntil(10);
  Shed(rig, 0, 0);
  const std::vector<UniqueFd> rest = rig.ConnectClients(10);
  rig.workers[0]->TakeUntil(10);
}

TEST(HandsOnWhenAllShed, "where every worker sheds, clients are handed on all the same: there they are told why") {
  Rig rig(2);
  Shed(rig, 0, 1);
  Shed(rig, 1, 2);
  const std::vector<UniqueFd> clients = rig.ConnectClients(20);
  rig.TakeInAll(20);
  CHECK_EQ(rig.workers[0]->sockets.size(), 10);
  Stall(rig, 1);
  const std::vector<UniqueFd> more = rig.ConnectClients(20);
  rig.workers[0]->TakeUntil(30);
}

TEST(WaitsForTheFull, "clients wait for a full worker rather than be rejected by one that sheds") {
  Rig rig(2, 5);
  Shed(rig, 1, 1);
  const std::vector<UniqueFd> clients = rig.ConnectClients(8);
  rig.workers[0]->TakeUntil(5);
  CHECK(!IsReadable(rig.workers[1]->worker_end.get(), 50));
  rig.region.active(0).fetch_sub(3);
  rig.workers[0]->TakeUntil(8);
}

}  // namespace edgeproxy::test
