// Warm connections: opened to a backend before the client that will use them is there, so that it is spared the connect.
//
// Each is handed out once and never comes back. A backend gets its first ones when routing has chosen it; whoever takes
// one has another opened in its place, whoever finds none makes the stock larger, and what nobody takes within the idle
// timeout makes it smaller. A backend that cannot be connected to, or closes what was opened, is left alone for a while.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "breaker.h"
#include "peer_address.h"
#include "shared_counters.h"
#include "slab.h"
#include "timer_wheel.h"
#include "unique_fd.h"

namespace edgeproxy {

struct WarmPoolOptions {
  // Over all workers, each of which has at least one; 0 = off.
  uint32_t max_per_backend = 0;
  // Of this worker, to all backends.
  uint32_t max_connections = 0;
  uint64_t idle_timeout_ms = 60'000;
  uint64_t max_lifetime_ms = 300'000;
  uint64_t connect_timeout_ms = 5'000;
};

class WarmPool {
 public:
  struct Taken {
    UniqueFd fd;          // not open where there was none
    uint32_t events = 0;  // of epoll: what is known of it
  };

  WarmPool(const WarmPoolOptions& options, RegionView region, uint32_t worker, uint64_t now_ms);
  WarmPool(const WarmPool&) = delete;
  WarmPool& operator=(const WarmPool&) = delete;
  ~WarmPool() { Stop(); }

  // Watches by this set, which belongs to the caller, with tokens that IsToken knows.
  void Open(int epoll) { epoll_ = epoll; }
  static bool IsToken(uint64_t token) { return token >> 62 == 3; }

  void Configure(const WarmPoolOptions& options, uint64_t now_ms);
  // A connection to exactly that address which is alive, still in the epoll set; the caller gives it another token.
  Taken Take(uint32_t slot, const PeerAddress& to, uint64_t now_ms);
  // Where the last one taken for the slot leads.
  const PeerAddress& AddressOf(uint32_t slot) const { return stocks_[slot]->address; }
  // One that was taken then has ended before a byte went over it.
  void DiedTaken(uint32_t slot, uint64_t taken_ms, uint64_t now_ms);
  void OnEvent(uint64_t token, uint32_t events, uint64_t now_ms);
  // Closes what is due and opens what is missing; call it after Take and OnEvent, and when NextDelayMs is over.
  void Run(uint64_t now_ms);
  int64_t NextDelayMs(uint64_t now_ms) const { return MayRefill() ? 0 : wheel_.NextDelayMs(now_ms); }

  void CloseBackend(uint32_t slot);
  // Closes all and opens none from here on. Idempotent.
  void Stop();

  // Whether the peer has ended or reset the connection.
  static bool HasHungUp(int socket) { return (EventsOf(socket) & kHungUp) != 0; }

 private:
  static constexpr uint32_t kHungUp = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

  enum class Phase : uint8_t {
    kFree,
    kConnecting,
    kReady,    // in its stock's list
    kResting,  // no connection: the node that waits until its stock's backend is tried again
  };
  struct Warm {
    TimerNode timer;  // first: OfTimer() relies on it
    UniqueFd fd;
    uint64_t opened_ms = 0;
    uint64_t opened_us = 0;
    uint64_t ready_ms = 0;
    Warm* previous = nullptr;
    Warm* next = nullptr;
    uint32_t index = 0;
    uint32_t generation = 0;
    uint32_t slot = 0;
    Phase phase = Phase::kFree;

    static Warm& OfTimer(TimerNode& node) { return reinterpret_cast<Warm&>(node); }
  };
  // What there is for one backend. Never freed: there are as many as slots have been chosen.
  struct Stock {
    PeerAddress address{};
    uint32_t slot = 0;
    int32_t owner = 0;  // BackendLine.owner when a client was last sent there
    uint32_t target = 0;
    uint32_t ready = 0;
    uint32_t connecting = 0;
    // The newest is taken first: those that are not needed grow old and go.
    Warm* newest = nullptr;
    Warm* resting = nullptr;
    // The only one opened since the last failure. Until it has settled nobody gets it: taken, it would tell nothing.
    Warm* probe = nullptr;
    uint64_t last_asked_ms = 0;
    uint64_t retry_at_ms = 0;
    uint64_t back_off_ms = 0;  // 0 = what was opened last held
    bool is_queued = false;    // in `short_of_`

    uint32_t size() const { return ready + connecting; }
  };

  static uint32_t EventsOf(int socket);
  Stock& StockOf(uint32_t slot, const PeerAddress& to);
  bool HasChanged(const Stock& stock) const;
  bool IsChosen(const Stock& stock) const;
  bool MayRefill() const;
  bool MayOpen(const Stock& stock, uint64_t now_ms) const;
  void Refill(uint64_t now_ms);
  void OpenOne(Stock& stock, uint64_t now_ms);
  void Queue(Stock& stock);
  bool IsInUse(const Stock& stock, uint64_t now_ms) const;

  void BecomeReady(Warm& warm, uint64_t now_ms);
  void Fail(Warm& warm, int error, uint64_t now_ms);
  void Lose(Warm& warm, uint64_t now_ms);
  void Recover(Stock& stock);
  bool BackOff(Stock& stock, uint64_t now_ms);
  uint64_t Deadline(const Warm& warm) const;
  void Watch(Warm& warm, uint64_t now_ms);
  void OnTimer(Warm& warm, uint64_t now_ms);
  void EndRest(Stock& stock, uint64_t now_ms);
  void Retire(Warm& warm, uint64_t now_ms);
  void Trim(Stock& stock);
  void CloseAll();
  void Remove(Warm& warm);
  Warm* Find(uint64_t token);

  WarmPoolOptions options_;
  const SharedCounters counters_;
  const Breaker breaker_;
  const RegionView region_;
  const uint32_t worker_;
  int epoll_ = -1;
  bool is_stopped_ = false;
  uint32_t share_ = 0;  // of options_.max_per_backend
  uint32_t open_ = 0;   // ready or connecting
  uint32_t connecting_ = 0;
  TimerWheel wheel_;
  Slab<Warm> slab_;
  std::vector<std::unique_ptr<Stock>> stocks_;  // by slot
  std::vector<uint32_t> short_of_;              // slots whose stock may be below its target
};

}  // namespace edgeproxy
