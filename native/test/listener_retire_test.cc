// A listener that goes while the others stay: nobody who got into its queue is reset.
#include <fcntl.h>

#include <vector>

#include "acceptor_rig.h"
#include "check.h"
#include "listener.h"
#include "relay_rig.h"
#include "sockets.h"

namespace edgeproxy::test {

namespace {

// A connect under way, non-blocking.
UniqueFd BeginConnect(uint16_t port) {
  UniqueFd client = NewClient();
  CHECK_EQ(::fcntl(client.get(), F_SETFL, O_NONBLOCK), 0);
  CHECK_EQ(Connect(client, port), EINPROGRESS);
  return client;
}

bool IsConnected(const UniqueFd& client) {
  pollfd poll_fd = {client.get(), POLLOUT, 0};
  return ::poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & (POLLERR | POLLHUP)) == 0;
}

void SendToRelay(RelayRig& rig, MessageKind kind, uint32_t id, int fd = -1) {
  Message message;
  message.kind = kind;
  message.argument = id;
  message.count = fd == -1 ? 0 : 1;
  if (fd != -1) message.sockets[0].fd.Reset(::dup(fd));
  CHECK_EQ(SendMessage(rig.primary_end.get(), message), 0);
}

void ResetAll(std::vector<UniqueFd>& clients) {
  for (const UniqueFd& client : clients) ResetOnClose(client);
  clients.clear();
}

}  // namespace

TEST(RefusesTheNew, "a listener that refuses new clients still gives out whom it has queued, and begins with nobody") {
  uint16_t port = 0;
  const UniqueFd listener = ListenOnLoopback(port);
  const UniqueFd queued = ConnectClient(port);
  CHECK(!RefuseNewClients(listener.get()).is_set());
  const UniqueFd late = BeginConnect(port);
  const UniqueFd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  CHECK(accepted.is_open());
  CheckConnected(queued.get(), accepted.get(), 'a');
  CheckConnected(accepted.get(), queued.get(), 'b');
  CHECK(!IsReadable(listener.get(), 50));
  CHECK(!IsConnected(late));
  const UniqueFd no_socket(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  CHECK_EQ(RefuseNewClients(no_socket.get()).code, ENOTSOCK);
}

TEST(RetiresWhenEmpty, "full workers: a retiring listener stays until each of its clients has found a place") {
  Rig rig(1, 2);
  const std::vector<UniqueFd> clients = rig.ConnectClients(6);
  rig.workers[0]->TakeUntil(2);
  CHECK(!RefuseNewClients(rig.listener.get()).is_set());
  CHECK(!rig.acceptor.RetireListener(rig.listener.get(), kTicket).is_set());
  CHECK(!IsReadable(rig.workers[0]->worker_end.get(), 50));
  CHECK(!rig.tickets.IsDone(kTicket));
  rig.region.active(0) = 0;
  rig.workers[0]->TakeUntil(4);
  CHECK(!rig.tickets.IsDone(kTicket));
  rig.region.active(0) = 0;
  rig.workers[0]->TakeUntil(6);
  rig.tickets.Wait(kTicket);
  rig.listener.Reset();
  CheckServed(clients, SocketsOf(rig));
  CHECK_EQ(Connect(NewClient(), rig.port), ECONNREFUSED);
}

TEST(RetiresOne, "retiring one listener leaves the others, and one that is not known is done at once") {
  Rig rig(1);
  uint16_t other_port = 0;
  const UniqueFd other = ListenOnLoopback(other_port);
  CHECK(!rig.acceptor.AddListener(3, other.get()).is_set());
  CHECK(!rig.acceptor.RetireListener(other.get(), kTicket).is_set());
  rig.tickets.Wait(kTicket);
  CHECK(!rig.acceptor.RetireListener(12'345, kTicket + 1).is_set());
  rig.tickets.Wait(kTicket + 1);
  const std::vector<UniqueFd> clients = rig.ConnectClients(3);
  rig.workers[0]->TakeUntil(3);
  CheckServed(clients, SocketsOf(rig));
}

TEST(RetiresAtTheEnd, "an acceptor that ends keeps nobody waiting for a listener that retires") {
  Rig rig(1, 1);
  const std::vector<UniqueFd> clients = rig.ConnectClients(3);
  rig.workers[0]->TakeUntil(1);
  CHECK(!rig.acceptor.RetireListener(rig.listener.get(), kTicket).is_set());
  rig.acceptor.Close();
  rig.tickets.Wait(kTicket);
  CHECK_EQ(rig.acceptor.RetireListener(rig.listener.get(), kTicket + 1).code, ESHUTDOWN);
}

TEST(LimitsAnew, "another limit holds for who comes next: clients that waited are taken where it is higher") {
  Rig rig(1, 2);
  const std::vector<UniqueFd> clients = rig.ConnectClients(6);
  rig.workers[0]->TakeUntil(2);
  CHECK(!rig.acceptor.Configure(5, {}).is_set());
  rig.workers[0]->TakeUntil(5);
  CHECK(!IsReadable(rig.workers[0]->worker_end.get(), 50));
  CHECK(!rig.acceptor.Configure(3, {}).is_set());
  rig.region.active(0) = 3;
  CHECK(!IsReadable(rig.workers[0]->worker_end.get(), 50));
  rig.region.active(0) = 2;
  rig.workers[0]->TakeUntil(6);
  CheckServed(clients, SocketsOf(rig));
}

TEST(RelayEmptiesIt, "a worker that is to close a listener takes whom it has room for and leaves the rest to others") {
  RelayRig rig({.max_connections = 3});
  uint16_t port = 0;
  const UniqueFd listener = ListenOnLoopback(port);
  uint16_t backend_port = 0;
  const UniqueFd backend = ListenOnLoopback(backend_port);
  rig.ports[0] = backend_port;
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 5; i++) clients.push_back(ConnectClient(port));
  SendToRelay(rig, MessageKind::kListener, 1, listener.get());
  SendToRelay(rig, MessageKind::kCloseListener, 1);
  rig.Until([&] { return rig.row(0).connections == 3; });
  CHECK(IsReadable(listener.get(), 0));
  // Its place is free for another one.
  uint16_t next_port = 0;
  const UniqueFd next = ListenOnLoopback(next_port);
  ResetAll(clients);
  rig.UntilAtRest();
  SendToRelay(rig, MessageKind::kListener, 2, next.get());
  clients.push_back(ConnectClient(next_port));
  rig.Until([&] { return rig.row(0).connections == 4; });
  ResetAll(clients);
  rig.UntilAtRest();
}

TEST(RelayConfigures, "shorter timeouts end the connections that are there, and a higher limit takes those that wait") {
  RelayRig rig({.max_connections = 1});
  uint16_t port = 0;
  const UniqueFd listener = ListenOnLoopback(port);
  uint16_t backend_port = 0;
  const UniqueFd backend = ListenOnLoopback(backend_port);
  rig.ports[0] = backend_port;
  SendToRelay(rig, MessageKind::kListener, 1, listener.get());
  const UniqueFd first = ConnectClient(port);
  rig.Until([&] { return rig.row(0).connections == 1; });
  const UniqueFd second = ConnectClient(port);
  rig.Settle();
  CHECK_EQ(rig.relay().connection_count(), 1);
  rig.relay().Configure({.max_connections = 2});
  rig.Until([&] { return rig.row(0).connections == 2; });
  RelayOptions hasty{.max_connections = 2};
  hasty.listeners.Edit(1).idle_timeout_ms = 50;
  rig.relay().Configure(hasty);
  CHECK_OP(rig.relay().NextDispatchMs(), <=, 100);
  rig.Until([&] { return rig.ended(EndReason::kIdleTimeout) == 2; });
  rig.UntilAtRest();
}

}  // namespace edgeproxy::test
