// The acceptor under load while a worker is replaced again and again; also the program for ThreadSanitizer.
#include <atomic>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "acceptor.h"
#include "check.h"
#include "fake_workers.h"
#include "sockets.h"

namespace edgeproxy::test {

namespace {

constexpr uint32_t kWorkers = 3;
constexpr int kClientThreads = 3;
constexpr int kReplacements = 20;

// A worker on a thread of its own: answers one byte per connection, then closes it.
class EchoWorker {
 public:
  EchoWorker(Acceptor& acceptor, ControlRegion& region, uint32_t index) : active_(region.active(index)) {
    channel_.Up(acceptor, index);
    thread_ = std::thread([this] { Run(); });
  }
  // Stops between two messages: what it has not read stays in its channel, as after a SIGKILL.
  ~EchoWorker() {
    is_killed_ = true;
    thread_.join();
  }

 private:
  void Run() {
    while (!is_killed_) {
      if (!channel_.TakeMessage(5)) continue;
      for (const HandedSocket& socket : channel_.sockets) Echo(socket.fd.get());
      channel_.sockets.clear();
    }
  }
  void Echo(int fd) {
    char byte;
    CHECK(IsReadable(fd, kWaitMs));
    CHECK_EQ(::recv(fd, &byte, 1, 0), 1);
    CHECK_EQ(::send(fd, &byte, 1, MSG_NOSIGNAL), 1);
    active_.fetch_sub(1, std::memory_order_relaxed);
  }

  FakeWorker channel_;
  std::atomic<int32_t>& active_;
  std::atomic<bool> is_killed_{false};
  std::thread thread_;
};

// Connects again and again; every single connection must be answered.
void RunClient(uint16_t port, const std::atomic<bool>& is_over, std::atomic<uint64_t>& served) {
  const linger reset = {1, 0};
  while (!is_over) {
    const UniqueFd client = ConnectClient(port);
    char byte = 'x';
    CHECK_EQ(::send(client.get(), &byte, 1, MSG_NOSIGNAL), 1);
    byte = 0;
    CHECK_EQ(::recv(client.get(), &byte, 1, 0), 1);
    CHECK_EQ(byte, 'x');
    // Thousands of these: no TIME_WAIT.
    ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    served.fetch_add(1, std::memory_order_relaxed);
  }
}

// An acceptor, its workers, and clients that keep them busy.
class Load {
 public:
  Load() {
    CHECK(!acceptor.Start().is_set());
    CHECK(!acceptor.AddListener(0, listener_.get()).is_set());
    for (uint32_t i = 0; i < kWorkers; i++) Replace(i);
    for (int i = 0; i < kClientThreads; i++) {
      clients_.emplace_back(RunClient, port_, std::cref(is_over_), std::ref(served_));
    }
  }

  void Kill(uint32_t index) { workers_[index].reset(); }
  void Replace(uint32_t index) { workers_[index] = std::make_unique<EchoWorker>(acceptor, region, index); }
  void Serve(uint64_t more) {
    const uint64_t before = served_;
    while (served_ < before + more) ::poll(nullptr, 0, 1);
  }
  // Ends everything: each client has had its answer, and no connection is counted any more.
  void Finish() {
    is_over_ = true;
    for (std::thread& client : clients_) client.join();
    for (auto& worker : workers_) worker.reset();
    acceptor.Close();
    CHECK_EQ(acceptor.stats().accepted.load(), served_.load());
    CHECK_EQ(acceptor.stats().lost.load(), 0);
    for (uint32_t i = 0; i < kWorkers; i++) CHECK_EQ(region.active(i).load(), 0);
  }

  ControlRegion region{kWorkers};
  Tickets tickets;
  Acceptor acceptor{{region.view(), 40, 150}, tickets};

 private:
  uint16_t port_ = 0;
  const UniqueFd listener_ = ListenOnLoopback(port_);
  std::unique_ptr<EchoWorker> workers_[kWorkers];
  std::atomic<bool> is_over_{false};
  std::atomic<uint64_t> served_{0};
  std::vector<std::thread> clients_;
};

}  // namespace

TEST(ServesEveryClient, "under load, while a worker dies and is replaced again and again, every client is served") {
  Load load;
  for (uint64_t round = 1; round <= kReplacements; round++) {
    load.Serve(100);
    const auto index = static_cast<uint32_t>(round % kWorkers);
    load.Kill(index);
    // Long enough to gather unread messages; every second one is replaced without being reported down.
    while (load.region.active(index) == 0) ::poll(nullptr, 0, 1);
    if (round % 2 == 0) {
      CHECK(!load.acceptor.WorkerDown(index, round).is_set());
      load.tickets.Wait(round);
    }
    load.Replace(index);
  }
  load.Finish();
  CHECK_OP(load.acceptor.stats().recovered.load(), >=, kReplacements);
}

TEST(ServesEveryClientOfTheSlow, "under load, while workers that read all the time are called stalled, every client is served") {
  Load load;
  for (uint64_t round = 1; round <= 10 * kReplacements; round++) {
    load.Serve(10);
    const auto index = static_cast<uint32_t>(round % kWorkers);
    load.region.view().worker((index + 1) % kWorkers).shedding = static_cast<int32_t>(round % 2);
    CHECK(!load.acceptor.WorkerStalled(index, round).is_set());
    load.tickets.Wait(round);
    CHECK(!load.acceptor.WorkerResumed(index).is_set());
  }
  load.Finish();
}

}  // namespace edgeproxy::test
