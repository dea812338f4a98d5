// Hundreds of clients and backends that do what they like, in any order: whatever they did, nothing is left of it.
#include <random>
#include <vector>

#include "relay_rig.h"

namespace edgeproxy::test {

namespace {

constexpr int kActions = 4000;
constexpr size_t kMostOpen = 40;
constexpr size_t kMostWritten = 300 << 10;

class Crowd {
 public:
  Crowd(uint64_t seed, const RelayOptions& options) : random_(seed), rig_(options), scratch_(kMostWritten) {
    for (uint32_t slot = 0; slot < kBackends; slot++) rig_.ports[slot] = backends_[slot].port;
    // One of them refuses.
    backends_[1].fd.Reset();
    rig_.choose = [this](const RouteRequest& request) { return Choose(request); };
  }

  void Run() {
    for (int i = 0; i < kActions; i++) {
      Act();
      if (random_() % 2 == 0) rig_.Step(0);
      AcceptAll();
    }
    ends_.clear();
    rig_.Until([&] {
      AcceptAll();
      ends_.clear();
      return rig_.relay().connection_count() == 0;
    });
    rig_.CheckAtRest();
    CheckSums();
  }

 private:
  struct Backend {
    uint16_t port = 0;
    UniqueFd fd = ListenAsBackend(port);
  };

  int32_t Choose(const RouteRequest&) {
    const uint64_t dice = random_() % 20;
    return dice == 0 ? -1 : static_cast<int32_t>(dice % kBackends);
  }

  void Act() {
    if (ends_.size() < kMostOpen && random_() % 4 == 0) {
      clients_++;
      ends_.push_back(rig_.Admit());
    }
    if (ends_.empty()) return;
    const size_t index = random_() % ends_.size();
    const int fd = ends_[index].get();
    if (random_() % 100 == 0) rig_.relay().KillMany({}, random_() % kMostOpen, 1);
    switch (random_() % 10) {
      case 0: {
        const linger reset{1, 0};
        ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        [[fallthrough]];
      }
      case 1:
        ends_.erase(ends_.begin() + static_cast<ptrdiff_t>(index));
        break;
      case 2:
        ::shutdown(fd, SHUT_WR);
        break;
      case 3:
      case 4:
      case 5:
        ::send(fd, scratch_.data(), 1 + random_() % kMostWritten, MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
      case 6:
        ::send(fd, scratch_.data(), 1 + random_() % 100, MSG_DONTWAIT | MSG_NOSIGNAL | (random_() % 8 == 0 ? MSG_OOB : 0));
        break;
      default:
        ::recv(fd, scratch_.data(), 1 + random_() % kMostWritten, MSG_DONTWAIT);
        break;
    }
  }

  void AcceptAll() {
    for (const Backend& backend : backends_) {
      if (!backend.fd.is_open()) continue;
      UniqueFd upstream(::accept4(backend.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (upstream.is_open()) ends_.push_back(std::move(upstream));
    }
  }

  // Each client ended in exactly one way.
  void CheckSums() {
    uint64_t over = 0;
    for (size_t reason = 0; reason < kRejectReasons; reason++) over += rig_.rejected(static_cast<RejectReason>(reason));
    uint64_t relayed = 0;
    for (size_t reason = 0; reason < kEndReasons; reason++) relayed += rig_.ended(static_cast<EndReason>(reason));
    CHECK_EQ(over + relayed, clients_);
    CHECK_EQ(rig_.block().accepted, clients_);
    uint64_t connections = 0;
    for (uint32_t slot = 0; slot < kBackends; slot++) connections += rig_.row(slot).connections;
    CHECK_EQ(connections, relayed);
    CHECK_EQ(rig_.row(1).connections, 0);
    CHECK_OP(relayed, >, 0);
  }

  std::mt19937_64 random_;
  Backend backends_[kBackends];
  RelayRig rig_;
  std::vector<char> scratch_;
  std::vector<UniqueFd> ends_;
  uint64_t clients_ = 0;
};

void RunCrowds(uint64_t first_seed, const RelayOptions& options) {
  for (uint64_t seed = first_seed; seed < first_seed + 4; seed++) Crowd(seed, options).Run();
}

}  // namespace

TEST(LeavesNothingCopying, "random clients and backends leave no place, byte or descriptor behind, copying") {
  RelayOptions options;
  options.is_splice_enabled = false;
  RunCrowds(100, options);
}

TEST(LeavesNothingSplicing, "random clients and backends leave no place, byte or descriptor behind, splicing") {
  RunCrowds(200, RelayOptions{});
}

TEST(LeavesNothingShortOfPipes, "random clients and backends leave nothing behind where pipes are few and timers short") {
  RelayOptions options;
  options.max_pipes = 3;
  options.listeners.Edit(kListenerId).idle_timeout_ms = 20;
  options.listeners.Edit(kListenerId).half_close_timeout_ms = 10;
  options.listeners.Edit(kListenerId).max_lifetime_ms = 200;
  RunCrowds(300, options);
}

}  // namespace edgeproxy::test
