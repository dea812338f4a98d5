// A running acceptor with a listener and workers whose channels a test reads by hand.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "acceptor.h"
#include "check.h"
#include "fake_workers.h"
#include "limits.h"
#include "sockets.h"

namespace edgeproxy::test {

constexpr uint64_t kTicket = 7;
constexpr uint32_t kRigRateSets = 4;

// A running acceptor with one listener and `count` live workers.
struct Rig {
  ControlRegion region;
  Tickets tickets;
  Acceptor acceptor;
  uint16_t port = 0;
  UniqueFd listener;
  std::vector<std::unique_ptr<FakeWorker>> workers;

  explicit Rig(uint32_t count, int32_t max_connections = 10'000, bool are_up = true)
      : region(count, kRigRateSets), acceptor({region.view(), max_connections, 150}, tickets), listener(ListenOnLoopback(port)) {
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
inline void CheckServed(const std::vector<UniqueFd>& clients, std::vector<HandedSocket*> sockets) {
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

inline std::vector<HandedSocket*> SocketsOf(Rig& rig) {
  std::vector<HandedSocket*> all;
  for (auto& worker : rig.workers) {
    for (HandedSocket& socket : worker->sockets) all.push_back(&socket);
  }
  return all;
}

inline uint64_t Read(const std::atomic<uint64_t>& counter) { return counter.load(std::memory_order_relaxed); }

// The acceptor counts after it has sent: a message may be here before its count is.
inline void WaitFor(const std::atomic<uint64_t>& counter, uint64_t count) {
  for (int waited_ms = 0; Read(counter) < count; waited_ms++) {
    CHECK_OP(waited_ms, <, kWaitMs);
    ::poll(nullptr, 0, 1);
  }
}

}  // namespace edgeproxy::test
