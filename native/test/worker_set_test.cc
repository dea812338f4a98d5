// Orders taken back from a worker that stands still: put back in order, or told of as lost.
#include "worker_set.h"

#include <sys/eventfd.h>
#include <sys/resource.h>

#include "channel.h"
#include "fake_workers.h"
#include "sockets.h"

namespace edgeproxy::test {

namespace {
using Settled = WorkerSet::Settled;

struct OneWorker {
  ControlRegion region{1};
  WorkerSet set{region.view(), 100};
  FakeWorker worker;
  HeldSockets held;

  OneWorker() { Up(); }
  void Up() { set.Up(0, UniqueFd(::dup(worker.primary_end.get())), UniqueFd(::dup(worker.worker_end.get())), held); }
  void SendRegion(uint32_t argument) {
    Message message;
    message.kind = MessageKind::kRegion;
    message.argument = argument;
    message.count = 1;
    message.sockets[0].fd.Reset(::eventfd(0, EFD_CLOEXEC));
    CHECK_EQ(SendMessage(worker.primary_end.get(), message), 0);
  }
};
}  // namespace

TEST(TellsOfALostOrder, "an order that no descriptor was left for is told of as lost, and the worker gets nothing until it has a successor") {
  OneWorker one;
  one.SendRegion(1);
  rlimit before;
  CHECK_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none = {3, before.rlim_max};
  CHECK_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  one.set.Stall(0, one.held);
  CHECK_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  one.set.Resume(0);
  CHECK(one.set.Settle(0) == Settled::kLost);
  CHECK(!one.set.has_live());
  CHECK(!IsReadable(one.worker.worker_end.get(), 0));
  one.set.Down(0, one.held);
  one.Up();
  CHECK(one.set.has_live());
}

TEST(KeepsTheOrder, "whoever stands still again before all is back has everything in the order it was sent in") {
  OneWorker one;
  constexpr uint32_t kOrders = 12;
  for (uint32_t i = 1; i <= kOrders; i++) one.SendRegion(i);
  const int least_bytes = 1;
  CHECK_EQ(::setsockopt(one.worker.primary_end.get(), SOL_SOCKET, SO_SNDBUF, &least_bytes, sizeof least_bytes), 0);
  one.set.Stall(0, one.held);
  CHECK(one.set.Settle(0) == Settled::kNotYet);
  one.set.Resume(0);
  one.set.Stall(0, one.held);
  for (uint32_t next = 1; next <= kOrders; next++) {
    one.set.Settle(0);
    Message message;
    CHECK_EQ(ReceiveMessage(one.worker.worker_end.get(), message), 0);
    CHECK_EQ(message.argument, next);
  }
  CHECK(one.set.Settle(0) == Settled::kAll);
}

}  // namespace edgeproxy::test
