// How clients come to the relay and what happens when there is no room for them.
#include <fcntl.h>
#include <sys/resource.h>

#include <vector>

#include "relay_rig.h"

namespace edgeproxy::test {

namespace {

// Runs `body` while exactly so many more descriptors can be opened: the limit is one on their numbers.
template <typename Body>
void WithDescriptorsLeft(uint32_t free_descriptors, Body body) {
  rlimit before;
  CHECK_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlim_t limit = 0;
  for (uint32_t gaps = 0;; limit++) {
    const bool is_free = ::fcntl(static_cast<int>(limit), F_GETFD) == -1;
    if (is_free && gaps++ == free_descriptors) break;
  }
  const rlimit low{limit, before.rlim_max};
  CHECK_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  body();
  CHECK_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

void SendOne(RelayRig& rig, MessageKind kind, uint32_t argument, UniqueFd fd) {
  Message message;
  message.kind = kind;
  message.argument = argument;
  message.count = 1;
  message.sockets[0].fd = std::move(fd);
  CHECK_EQ(SendMessage(rig.primary_end.get(), message), 0);
}

struct Listener {
  uint16_t port = 0;
  UniqueFd fd = ListenOnLoopback(port);
};

// As sendListener does: the relay gets a duplicate.
void SendListener(RelayRig& rig, const Listener& listener, uint32_t id) {
  SendOne(rig, MessageKind::kListener, id, UniqueFd(::dup(listener.fd.get())));
}

void SendCloseListener(RelayRig& rig, uint32_t id) {
  Message message;
  message.kind = MessageKind::kCloseListener;
  message.argument = id;
  CHECK_EQ(SendMessage(rig.primary_end.get(), message), 0);
}

// A rig whose backend takes every connection into its queue.
struct Admission {
  explicit Admission(RelayOptions options = {}) : rig(options) { rig.ports[0] = backend.port; }

  void UntilRelayed(uint32_t count) {
    rig.Until([&] { return rig.relay().connection_count() == count && rig.row(0).connections >= count; });
  }

  Listener backend;
  RelayRig rig;
};

}  // namespace

TEST(AcceptsByItself, "clients of a listener of its own are accepted, counted as the worker's, and asked about by its id") {
  Admission admission;
  RelayRig& rig = admission.rig;
  const Listener first, second;
  std::vector<int32_t> listeners;
  rig.choose = [&](const RouteRequest& request) {
    listeners.push_back(request.listener);
    CHECK_EQ(request.address[2], 0xffff);
    CHECK_EQ(request.address[3], INADDR_LOOPBACK);
    return 0;
  };
  SendListener(rig, first, 11);
  SendListener(rig, second, 12);
  UniqueFd a = ConnectClient(first.port);
  admission.UntilRelayed(1);
  UniqueFd b = ConnectClient(second.port);
  admission.UntilRelayed(2);
  CHECK((listeners == std::vector<int32_t>{11, 12}));
  CHECK_EQ(rig.block().active, 2);
  CHECK_EQ(rig.block().accepted, 2);
}

TEST(ClosesAListener, "a closed listener is accepted from no more, the others are, and what queues meanwhile is not lost") {
  Admission admission;
  RelayRig& rig = admission.rig;
  const Listener first, second;
  SendListener(rig, first, 1);
  SendListener(rig, second, 2);
  SendCloseListener(rig, 1);
  SendCloseListener(rig, 99);
  rig.Settle();
  const UniqueFd queued = ConnectClient(first.port);
  const UniqueFd taken = ConnectClient(second.port);
  admission.UntilRelayed(1);
  rig.Settle();
  CHECK_EQ(rig.relay().connection_count(), 1);
  // Another worker, or the acceptor, finds it where it was.
  CHECK(IsReadable(first.fd.get(), 0));
}

TEST(Drains, "draining empties the queues a last time and goes on with what is established") {
  Admission admission;
  RelayRig& rig = admission.rig;
  Listener listener;
  SendListener(rig, listener, 1);
  rig.Settle();
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 100; i++) clients.push_back(ConnectClient(listener.port));
  rig.relay().Drain();
  admission.UntilRelayed(100);
  listener.fd.Reset();
  const UniqueFd late = NewClient();
  CHECK_EQ(Connect(late, listener.port), ECONNREFUSED);
  clients.clear();
  rig.Until([&] { return rig.row(0).connections == 100; });
}

TEST(LeavesItsQueuesToOthers, "a worker that is relieved accepts nobody, takes who is handed to it, and goes on when it is its turn") {
  for (const bool is_stalled : {true, false}) {
    Admission admission;
    RelayRig& rig = admission.rig;
    std::atomic<int32_t>& word = is_stalled ? rig.block().stalled : rig.block().shedding;
    const Listener listener;
    SendListener(rig, listener, 1);
    const UniqueFd before = ConnectClient(listener.port);
    admission.UntilRelayed(1);
    word = 2;
    const UniqueFd queued = ConnectClient(listener.port);
    rig.Settle();
    CHECK_EQ(rig.relay().connection_count(), 1);
    CHECK(IsReadable(listener.fd.get(), 0));
    // Soon enough to notice that it is over, and not at once again and again.
    CHECK_OP(rig.relay().NextDispatchMs(), >, 0);
    CHECK_OP(rig.relay().NextDispatchMs(), <=, 100);
    const UniqueFd handed = rig.Admit();
    admission.UntilRelayed(2);
    word = 0;
    admission.UntilRelayed(3);

    word = 2;
    const UniqueFd last = ConnectClient(listener.port);
    rig.Settle();
    rig.relay().Drain();
    admission.UntilRelayed(4);
  }
}

TEST(LeavesTheRestQueued, "a full relay leaves clients in the queue and takes them when others have gone, without spinning") {
  RelayOptions options;
  options.max_connections = 3;
  Admission admission(options);
  RelayRig& rig = admission.rig;
  const Listener listener;
  SendListener(rig, listener, 1);
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 8; i++) clients.push_back(ConnectClient(listener.port));
  admission.UntilRelayed(3);
  rig.Settle();
  CHECK_EQ(rig.relay().connection_count(), 3);
  CHECK_EQ(rig.block().accepted, 3);
  // Nothing to do until somebody goes, though the listener is readable.
  CHECK(IsReadable(listener.fd.get(), 0));
  CHECK(!IsReadable(rig.relay().poll_fd(), 50));
  for (uint64_t gone = 1; gone <= 5; gone++) {
    ResetOnClose(clients[gone - 1]);
    clients[gone - 1].Reset();
    rig.Until([&] { return rig.block().accepted == 3 + gone; });
    CHECK_OP(rig.relay().connection_count(), <=, 3);
  }
}

TEST(PausesWithoutDescriptors, "out of descriptors it stops accepting for a moment instead of spinning, and goes on by itself") {
  Admission admission;
  RelayRig& rig = admission.rig;
  const Listener listener;
  SendListener(rig, listener, 1);
  rig.Settle();
  const UniqueFd client = ConnectClient(listener.port);
  WithDescriptorsLeft(0, [&] {
    rig.Step(kWaitMs);
    CHECK_EQ(rig.block().accepted, 0);
    CHECK(!IsReadable(rig.relay().poll_fd(), 0));
    CHECK_OP(rig.relay().NextDispatchMs(), >, 0);
    CHECK_OP(rig.relay().NextDispatchMs(), <, 1000);
  });
  admission.UntilRelayed(1);
}

TEST(RejectsWithoutDescriptors, "a client for whose backend no descriptor is left is reset, counted, and its place given back") {
  Admission admission;
  RelayRig& rig = admission.rig;
  const UniqueFd client = rig.Admit();
  // One for the client, none for the backend.
  WithDescriptorsLeft(1, [&] { rig.Until([&] { return rig.rejected(RejectReason::kNoDescriptors) == 1; }); });
  rig.UntilAtRest();
  char byte;
  CHECK_EQ(::recv(client.get(), &byte, 1, 0), -1);
  CHECK_EQ(errno, ECONNRESET);
}

TEST(CountsWhatIsLost, "clients that are lost on their way for want of descriptors are counted, and the others served") {
  Admission admission;
  RelayRig& rig = admission.rig;
  std::vector<UniqueFd> clients = rig.AdmitTogether(10);
  // Four do not arrive. Of the six that do, some find no descriptor to dial with, until those leave theirs behind.
  WithDescriptorsLeft(6, [&] {
    rig.Until([&] { return rig.rejected(RejectReason::kNoDescriptors) + rig.row(0).connections == 10; });
  });
  CHECK_EQ(rig.block().accepted, 6);
  CHECK_OP(rig.rejected(RejectReason::kNoDescriptors), >, 4);
  CHECK_OP(rig.row(0).connections, >, 0);
  CHECK_EQ(rig.block().active, rig.row(0).connections);
  for (const UniqueFd& client : clients) ResetOnClose(client);
  clients.clear();
  rig.UntilAtRest();
}

TEST(TellsWhatIsLost, "a listener or a region that finds no descriptor on its way, or cannot be watched, is told of as lost") {
  Admission admission;
  RelayRig& rig = admission.rig;
  const Listener listener;
  for (const MessageKind kind : {MessageKind::kListener, MessageKind::kRegion}) {
    SendOne(rig, kind, 0, UniqueFd(::dup(listener.fd.get())));
    WithDescriptorsLeft(0, [&] { rig.Step(kWaitMs); });
  }
  CHECK((rig.lost == std::vector<int>{EMFILE, EMFILE}));
  CHECK(rig.regions.empty());
  // epoll takes no regular files.
  SendOne(rig, MessageKind::kListener, 0, UniqueFd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)));
  rig.Settle();
  CHECK((rig.lost == std::vector<int>{EMFILE, EMFILE, EPERM}));
  SendListener(rig, listener, 1);
  const UniqueFd client = ConnectClient(listener.port);
  admission.UntilRelayed(1);
}

TEST(DrainsBeyondItsRoom, "a drain takes whoever waits: beyond the limits of all workers at once, beyond its own as places are freed") {
  for (const bool is_shared : {true, false}) {
    RelayOptions options;
    if (is_shared) options.limits = {2, 0};
    else options.max_connections = 2;
    Admission admission(options);
    RelayRig& rig = admission.rig;
    Listener listener;
    SendListener(rig, listener, 3);
    std::vector<UniqueFd> clients;
    for (int i = 0; i < 2; i++) clients.push_back(ConnectClient(listener.port));
    admission.UntilRelayed(2);
    clients.push_back(ConnectClient(listener.port));
    rig.Settle();
    CHECK_EQ(rig.relay().connection_count(), 2);
    // As the primary does before the order.
    listener.fd.Reset();
    rig.relay().Drain();
    rig.Settle();
    CHECK_EQ(rig.relay().connection_count(), is_shared ? 3 : 2);
    char byte;
    CHECK_EQ(::recv(clients[2].get(), &byte, 1, MSG_DONTWAIT), -1);
    CHECK_EQ(errno, EAGAIN);
    ResetOnClose(clients[0]);
    clients[0].Reset();
    rig.Until([&] { return rig.row(0).connections == 3; });
    ResetOnClose(clients[1]);
    clients[1].Reset();
    // Nobody listens any more.
    rig.Until([&] { return rig.relay().connection_count() == 1; });
    CHECK_EQ(Connect(NewClient(), listener.port), ECONNREFUSED);
    clients.clear();
    rig.relay().Close();
    CHECK_EQ(rig.block().active, 0);
  }
}

}  // namespace edgeproxy::test
