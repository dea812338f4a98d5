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

}  // namespace

TEST(ServesEveryClient, "under load, while a worker dies and is replaced again and again, every client is served") {
  ControlRegion region(kWorkers);
  Tickets tickets;
  Acceptor acceptor({region.view(), 40, 150}, tickets);
  uint16_t port = 0;
  const UniqueFd listener = ListenOnLoopback(port);
  CHECK(!acceptor.Start().is_set());
  CHECK(!acceptor.AddListener(0, listener.get()).is_set());
  std::unique_ptr<EchoWorker> workers[kWorkers];
  for (uint32_t i = 0; i < kWorkers; i++) workers[i] = std::make_unique<EchoWorker>(acceptor, region, i);

  std::atomic<bool> is_over{false};
  std::atomic<uint64_t> served{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < kClientThreads; i++) clients.emplace_back(RunClient, port, std::cref(is_over), std::ref(served));

  for (uint64_t round = 1; round <= kReplacements; round++) {
    const uint64_t before = served;
    while (served < before + 100) ::poll(nullptr, 0, 1);
    const auto index = static_cast<uint32_t>(round % kWorkers);
    workers[index].reset();
    // Long enough to gather unread messages; every second one is replaced without being reported down.
    while (region.active(index) == 0) ::poll(nullptr, 0, 1);
    if (round % 2 == 0) {
      CHECK(!acceptor.WorkerDown(index, round).is_set());
      tickets.Wait(round);
    }
    workers[index] = std::make_unique<EchoWorker>(acceptor, region, index);
  }
  is_over = true;
  for (std::thread& client : clients) client.join();
  for (auto& worker : workers) worker.reset();
  acceptor.Close();
  CHECK_EQ(acceptor.stats().accepted.load(), served.load());
  CHECK_OP(acceptor.stats().recovered.load(), >=, kReplacements);
  CHECK_EQ(acceptor.stats().lost.load(), 0);
  for (uint32_t i = 0; i < kWorkers; i++) CHECK_EQ(region.active(i).load(), 0);
}

}  // namespace edgeproxy::test
