// A relay without Node: a control region in memory, a host that decides as a test says, and the real channel, sockets
// and epoll set. Nothing runs by itself: Until() drives the relay as its owner's loop would.
#pragma once

#include <poll.h>
#include <signal.h>
#include <time.h>

#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "channel.h"
#include "relay.h"
#include "sockets.h"

namespace edgeproxy::test {

constexpr uint32_t kBackends = 4;
constexpr uint32_t kListenerId = 7;

inline int64_t NowMs() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// close(2) will send RST instead of FIN.
inline void ResetOnClose(const UniqueFd& fd) {
  const linger reset{1, 0};
  CHECK_EQ(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
}

class RelayRig : public RelayHost {
 public:
  explicit RelayRig(RelayOptions options = {})
      : memory_(kRegionBytes / kLineBytes),
        region_(HeaderOf(memory_.data()), kRegionBytes),
        requests_(kBatchCapacity),
        responses_(kBatchCapacity) {
    // As Node.js does: splice(2) has no MSG_NOSIGNAL.
    CHECK(::signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    relay_ = std::make_unique<Relay>(options, region_, 0, *this, requests_.data(), responses_.data());
    UniqueFd worker_end;
    CHECK_EQ(MakeChannel(primary_end, worker_end), 0);
    CHECK_EQ(relay_->Open(std::move(worker_end)), 0);
  }

  Relay& relay() { return *relay_; }
  WorkerBlock& block() { return region_.worker(0); }
  WorkerRow& row(uint32_t slot) { return region_.row(0, slot); }
  int32_t active(uint32_t slot) { return region_.backend(slot).active; }
  uint64_t rejected(RejectReason reason) { return block().rejected[static_cast<size_t>(reason)]; }
  uint64_t ended(EndReason reason) { return block().ended[static_cast<size_t>(reason)]; }

  // What the host answers; the default is the lowest slot with a port that was not tried, or no backend.
  std::function<int32_t(const RouteRequest&)> choose = [this](const RouteRequest& request) { return FirstUntried(request); };

  void OnBatch(uint32_t count, uint32_t now_secs) override {
    batches.push_back(count);
    for (uint32_t i = 0; i < count; i++) Answer(requests_[i], responses_[i]);
  }
  void OnRegion(uint32_t kind, UniqueFd fd) override { regions.emplace_back(kind, std::move(fd)); }

  void OnLost(const SystemError& reason) override { lost.push_back(reason.code); }

  // Hands the relay the proxy's ends of new connections, in one message; returns the clients' ends.
  std::vector<UniqueFd> AdmitTogether(uint32_t count) {
    std::vector<UniqueFd> clients;
    Message message;
    message.count = count;
    for (uint32_t i = 0; i < count; i++) {
      clients.push_back(ConnectClient(front_port_));
      message.sockets[i] = AcceptFront();
    }
    block().active += static_cast<int32_t>(count);
    CHECK_EQ(SendMessage(primary_end.get(), message), 0);
    return clients;
  }
  UniqueFd Admit() { return std::move(AdmitTogether(1).front()); }

  // One wait of at most `wait_ms` and one dispatch.
  void Step(int wait_ms) {
    const int64_t due = relay().NextDispatchMs();
    pollfd poll_fd = {relay().poll_fd(), POLLIN, 0};
    ::poll(&poll_fd, 1, due == -1 || due > wait_ms ? wait_ms : static_cast<int>(due));
    relay().Dispatch();
  }

  // Drives the relay until it has nothing to do.
  void Settle() {
    do Step(0);
    while (IsReadable(relay().poll_fd(), 0));
  }

  // Drives the relay until the condition holds.
  template <typename Condition>
  void Until(Condition condition) {
    const int64_t end_ms = NowMs() + kWaitMs;
    while (!condition()) {
      CHECK_OP(NowMs(), <, end_ms);
      Step(20);
    }
  }

  void UntilAtRest() {
    Until([&] { return relay().connection_count() == 0; });
    CheckAtRest();
  }
  void CheckAtRest() {
    CHECK_EQ(block().active, 0);
    CHECK_EQ(block().relays_open, 0);
    CHECK_EQ(block().pending_bytes, 0);
    CHECK_EQ(block().pair_sequence % 2, 0);
    for (uint32_t slot = 0; slot < kBackends; slot++) {
      CHECK_EQ(active(slot), 0);
      CHECK_EQ(row(slot).share, 0);
    }
  }

  // Of the backend at each slot, on loopback; 0 is a slot that is not chosen.
  uint16_t ports[kBackends] = {};
  std::vector<uint32_t> batches;
  std::vector<std::pair<uint32_t, UniqueFd>> regions;
  // Errno of each.
  std::vector<int> lost;
  UniqueFd primary_end;

 private:
  // The view reads the capacities when it is made.
  static void* HeaderOf(void* memory) {
    auto& header = *static_cast<RegionHeader*>(memory);
    header.workers = 1;
    header.backends = kBackends;
    return memory;
  }

  struct alignas(kLineBytes) Line {
    char bytes[kLineBytes] = {};
  };
  static constexpr size_t kRegionBytes =
      4 * kLineBytes + sizeof(WorkerBlock) + kBackends * (sizeof(BackendLine) + sizeof(WorkerRow));

  HandedSocket AcceptFront() {
    sockaddr_storage from;
    socklen_t length = sizeof from;
    CHECK(IsReadable(front_.get(), kWaitMs));
    UniqueFd fd(::accept4(front_.get(), reinterpret_cast<sockaddr*>(&from), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    CHECK(fd.is_open());
    return {std::move(fd), kListenerId, PeerAddress::FromSockaddr(from)};
  }

  int32_t FirstUntried(const RouteRequest& request) {
    for (int32_t slot = 0; slot < int32_t{kBackends}; slot++) {
      bool was_tried = false;
      for (int32_t i = 0; i < request.tries; i++) was_tried |= request.tried_slots[i] == slot;
      if (!was_tried && ports[slot] != 0) return slot;
    }
    return -1 - static_cast<int32_t>(request.tries > 0 ? RejectReason::kConnectFailed : RejectReason::kNoBackend);
  }

  // As route() does: a place is reserved with the decision.
  void Answer(const RouteRequest& request, RouteResponse& response) {
    response = RouteResponse{};
    response.slot = choose(request);
    if (response.slot < 0 || response.slot >= int32_t{kBackends}) return;
    const auto slot = static_cast<uint32_t>(response.slot);
    region_.backend(slot).active++;
    row(slot).share++;
    response.port = ports[slot];
    response.address[2] = 0xffff;
    response.address[3] = INADDR_LOOPBACK;
  }

  std::vector<Line> memory_;
  RegionView region_;
  std::vector<RouteRequest> requests_;
  std::vector<RouteResponse> responses_;
  uint16_t front_port_ = 0;
  UniqueFd front_ = ListenOnLoopback(front_port_);
  std::unique_ptr<Relay> relay_;
};

}  // namespace edgeproxy::test
