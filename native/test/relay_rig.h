// A relay without Node: a control region in memory, a host that decides as a test says, and the real channel, sockets
// and epoll set. Nothing runs by itself: Until() drives the relay as its owner's loop would.
#pragma once

#include <poll.h>
#include <signal.h>
#include <time.h>

#include <cstring>
#include <functional>
#include <memory>
#include <string>
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
  // In the region's last line.
  static constexpr int32_t kClientWord = (RegionView::kWorkersAt + sizeof(WorkerBlock) +
                                          kBackends * (sizeof(BackendLine) + sizeof(WorkerRow) + sizeof(Histogram))) / sizeof(int32_t);

  explicit RelayRig(RelayOptions options = {})
      : memory_(kRegionBytes / kLineBytes),
        region_(HeaderOf(memory_.data()), kRegionBytes),
        requests_(kBatchCapacity),
        responses_(kBatchCapacity),
        names_(size_t{kBatchCapacity} * kNameBytes) {
    // As Node.js does: splice(2) has no MSG_NOSIGNAL.
    CHECK(::signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    relay_ = std::make_unique<Relay>(options, region_, 0, *this, BatchArrays{requests_.data(), responses_.data(), names_.data()});
    UniqueFd worker_end;
    CHECK_EQ(MakeChannel(primary_end, worker_end), 0);
    CHECK_EQ(relay_->Open(std::move(worker_end)), 0);
  }

  Relay& relay() { return *relay_; }
  WorkerBlock& block() { return region_.worker(0); }
  WorkerRow& row(uint32_t slot) { return region_.row(0, slot); }
  HealthControl& health() { return region_.health(); }
  BackendLine& backend(uint32_t slot) { return region_.backend(slot); }
  const Histogram& connect_times(uint32_t slot) { return region_.connect_times(slot); }
  const RegionView& region() const { return region_; }
  int32_t active(uint32_t slot) { return region_.backend(slot).active; }
  int32_t client_connections() { return region_.word(kClientWord); }
  uint64_t rejected(RejectReason reason) { return block().rejected[static_cast<size_t>(reason)]; }
  uint64_t ended(EndReason reason) { return block().ended[static_cast<size_t>(reason)]; }

  // What the host answers; the default is the lowest slot with a port that was not tried, or no backend.
  std::function<int32_t(const RouteRequest&)> choose = [this](const RouteRequest& request) { return FirstUntried(request); };

  // What the client of a request asks for in its ClientHello.
  std::string NameOf(const RouteRequest& request) {
    return {NamesOf(request), static_cast<size_t>(request.name_length)};
  }
  std::string AlpnOf(const RouteRequest& request) {
    return {NamesOf(request) + kAlpnAt, static_cast<size_t>(request.alpn_length)};
  }

  void OnBatch(uint32_t count, const BatchClock&) override {
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
    block().listener_active[kListenerId] += static_cast<int32_t>(count);
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
    for (const auto& at_listener : block().listener_active) CHECK_EQ(at_listener.load(), 0);
    CHECK_EQ(client_connections(), 0);
    CHECK_EQ(block().relays_open, 0);
    CHECK_EQ(block().pending_bytes, 0);
    CHECK_EQ(block().pair_sequence % 2, 0);
    for (uint32_t slot = 0; slot < kBackends; slot++) {
      CHECK_EQ(active(slot), 0);
      CHECK_EQ(row(slot).share, 0);
    }
  }

  // The backend at that slot listens on a Unix socket; what it did before is forgotten.
  void UsePath(uint32_t slot, const std::string& path) {
    static uint32_t last_serial = 0;
    auto& entry = const_cast<UnixPath&>(region_.path(slot));
    entry.serial = path_serials[slot] = ++last_serial;
    for (auto& word : entry.words) word = 0;
    for (size_t i = 0; i < path.size(); i++) entry.words[i / 4] |= uint32_t{static_cast<uint8_t>(path[i])} << i % 4 * 8;
    ports[slot] = 1;
  }
  // As in the middle of writing the first entry.
  const RegionView& WithHalfAPath() {
    const_cast<UnixPath&>(region_.path(0)).serial = 0;
    return region_;
  }
  // Of the path of the backend at each slot; 0 = it has none.
  uint32_t path_serials[kBackends] = {};

  // Of the backend at each slot, on loopback; 0 is a slot that is not chosen.
  uint16_t ports[kBackends] = {};
  // The word that each new client is counted in, as for MAX_CONNECTIONS_PER_IP; 0 = in none.
  int32_t client_word = 0;
  // Whether each choice is a trial of a half-open breaker.
  bool are_trials = false;
  // Of each choice, beside that.
  int32_t flags = 0;
  // Of all backends, in the byte order of the machine.
  uint32_t address = INADDR_LOOPBACK;
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
      RegionView::kWorkersAt + kLineBytes + sizeof(WorkerBlock) + kBackends * (sizeof(BackendLine) + sizeof(WorkerRow) + sizeof(Histogram));

  HandedSocket AcceptFront() {
    sockaddr_storage from;
    socklen_t length = sizeof from;
    CHECK(IsReadable(front_.get(), kWaitMs));
    UniqueFd fd(::accept4(front_.get(), reinterpret_cast<sockaddr*>(&from), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    CHECK(fd.is_open());
    return {std::move(fd), kListenerId, PeerAddress::FromSockaddr(from)};
  }

  const char* NamesOf(const RouteRequest& request) {
    return reinterpret_cast<char*>(&names_[static_cast<size_t>(&request - requests_.data()) * kNameBytes]);
  }

  int32_t FirstUntried(const RouteRequest& request) {
    if ((request.flags & kRequestAdmit) != 0) return kSlotAdmitted;
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
    if (request.tries == 0 && (request.flags & kRequestAdmitted) == 0 && client_word != 0) {
      response.client = client_word;
      if (client_word == kClientWord) region_.word(kClientWord)++;
    }
    if (response.slot < 0 || response.slot >= int32_t{kBackends}) return;
    const auto slot = static_cast<uint32_t>(response.slot);
    region_.backend(slot).active++;
    row(slot).share++;
    response.flags = flags | (are_trials ? kResponseTrial : 0);
    SetTarget(slot, response);
  }

  void SetTarget(uint32_t slot, RouteResponse& response) {
    const uint32_t serial = path_serials[slot];
    response.port = serial == 0 ? ports[slot] : int32_t{kUnixPort};
    response.address[1] = serial;
    response.address[2] = serial == 0 ? 0xffff : 0;
    response.address[3] = serial == 0 ? address : slot;
    BackendLine& line = region_.backend(slot);
    line.target_port = static_cast<uint32_t>(response.port);
    for (size_t i = 0; i < 4; i++) line.target_address[i] = response.address[i];
    if (serial == 0) line.target_address[3] = INADDR_LOOPBACK;
  }

  std::vector<Line> memory_;
  RegionView region_;
  std::vector<RouteRequest> requests_;
  std::vector<RouteResponse> responses_;
  std::vector<unsigned char> names_;
  uint16_t front_port_ = 0;
  UniqueFd front_ = ListenOnLoopback(front_port_);
  std::unique_ptr<Relay> relay_;
};

}  // namespace edgeproxy::test
