#include "warm_pool.h"

#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

#include "backend_socket.h"
#include "monotonic_us.h"
#include "reset_on_close.h"
#include "system_error.h"

namespace edgeproxy {

namespace {
// A connect that hangs holds its place among these until its timeout: four backends that hang can keep the others without new
// ones for that long, and no longer, for after a failure each is tried with one at a time.
constexpr uint32_t kMaxConnecting = 256;
constexpr uint32_t kMaxConnectingPerBackend = 64;
constexpr uint32_t kGenerationMask = 0x3fff'ffff;

static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLPRI == POLLPRI && EPOLLRDHUP == POLLRDHUP &&
              EPOLLHUP == POLLHUP && EPOLLERR == POLLERR);

// Each worker's part; together no more than `whole`, except that each has one.
uint32_t ShareOf(uint32_t whole, uint32_t worker, uint32_t workers) {
  if (whole == 0) return 0;
  return std::max(1U, whole / workers + (worker < whole % workers ? 1 : 0));
}

bool IsSame(const PeerAddress& a, const PeerAddress& b) {
  return std::equal(a.words, a.words + 4, b.words) && a.port == b.port;
}
}  // namespace

WarmPool::WarmPool(const WarmPoolOptions& options, RegionView region, uint32_t worker, uint64_t now_ms)
    : counters_(region, worker), breaker_(region), region_(region), worker_(worker), wheel_(now_ms) {
  Configure(options, now_ms);
}

void WarmPool::Configure(const WarmPoolOptions& options, uint64_t now_ms) {
  options_ = options;
  share_ = ShareOf(options.max_per_backend, worker_, region_.workers());
  if (share_ == 0) return CloseAll();
  stocks_.resize(region_.backends());
  for (const auto& stock : stocks_) {
    if (stock) Trim(*stock);
  }
  for (uint32_t i = 0; i < slab_.size(); i++) {
    if (slab_[i].phase != Phase::kFree) Watch(slab_[i], now_ms);
  }
}

WarmPool::Taken WarmPool::Take(uint32_t slot, const PeerAddress& to, uint64_t now_ms) {
  if (share_ == 0 || is_stopped_) return {};
  Stock& stock = StockOf(slot, to);
  stock.last_asked_ms = now_ms;
  Queue(stock);
  for (;;) {
    Warm* const next = stock.newest != nullptr && stock.newest == stock.probe ? stock.newest->next : stock.newest;
    if (next == nullptr) break;
    Warm& warm = *next;
    const uint32_t events = EventsOf(warm.fd.get());
    if ((events & kHungUp) != 0) {
      Lose(warm, now_ms);
      continue;
    }
    Taken taken{std::move(warm.fd), events};
    Remove(warm);
    counters_.CountWarmTaken();
    return taken;
  }
  // While backing off there is no more than one anyway.
  stock.target = std::min(stock.back_off_ms == 0 ? stock.target + 1 : std::max(stock.target, 1U), share_);
  counters_.CountWarmMissed();
  return {};
}

// One question for all there is to know: a FIN may stand behind bytes that recv(MSG_PEEK) would find first.
uint32_t WarmPool::EventsOf(int socket) {
  pollfd asked = {socket, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0};
  // Nothing known (EINTR, no memory) is no verdict: what is done with the socket next will tell.
  return ::poll(&asked, 1, 0) == 1 ? static_cast<uint32_t>(asked.revents) : 0;
}

void WarmPool::OnEvent(uint64_t token, uint32_t events, uint64_t now_ms) {
  Warm* const warm = Find(token);
  if (warm == nullptr) return;
  if (HasChanged(*stocks_[warm->slot])) return CloseBackend(warm->slot);
  if (warm->phase == Phase::kReady) {
    if ((events & kHungUp) != 0) Lose(*warm, now_ms);
    return;
  }
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
    const int error = PendingError(warm->fd.get());
    // A Unix socket whose other end was closed has hung up.
    const bool has_connected = error == 0 && stocks_[warm->slot]->address.IsUnix();
    if (!has_connected) return Fail(*warm, error == 0 ? ECONNRESET : error, now_ms);
  }
  if ((events & EPOLLOUT) == 0) return;
  BecomeReady(*warm, now_ms);
  if ((events & EPOLLRDHUP) != 0) Lose(*warm, now_ms);
}

void WarmPool::Run(uint64_t now_ms) {
  // Those for clients to come would keep clients from coming.
  if (open_ > 0 && counters_.LacksDescriptors()) CloseAll();
  wheel_.Advance(now_ms, [&](TimerNode& node) { OnTimer(Warm::OfTimer(node), now_ms); });
  Refill(now_ms);
}

void WarmPool::CloseBackend(uint32_t slot) {
  if (slot >= stocks_.size() || !stocks_[slot]) return;
  for (uint32_t i = 0; i < slab_.size(); i++) {
    if (slab_[i].phase != Phase::kFree && slab_[i].slot == slot) Remove(slab_[i]);
  }
  Stock& stock = *stocks_[slot];
  stock.target = 0;
  stock.back_off_ms = stock.retry_at_ms = 0;
}

void WarmPool::Stop() {
  is_stopped_ = true;
  CloseAll();
}

// The slot may have got another backend, or its backend another address: nothing of the old one is handed out.
WarmPool::Stock& WarmPool::StockOf(uint32_t slot, const PeerAddress& to) {
  std::unique_ptr<Stock>& place = stocks_[slot];
  if (!place) {
    place = std::make_unique<Stock>();
    place->slot = slot;
  } else if (!IsSame(place->address, to) || HasChanged(*place)) {
    CloseBackend(slot);
  }
  place->address = to;
  // The client holds a place at the slot, so this is the owner that it was sent to. Sequentially consistent, as the registry's add.
  place->owner = region_.backend(slot).owner.load();
  return *place;
}

// A stock holds no place at its slot, which may get another owner at any moment: nothing is opened for, or told of, a backend
// that is no more. What fails between this look and the count is one failure too many, of which the breaker wants several.
bool WarmPool::HasChanged(const Stock& stock) const { return stock.owner != region_.backend(stock.slot).owner.load(); }

// Whether the routing table in force, health checks and the breaker let clients be sent to where the stock's connections
// lead. Hints, in no order: the next look sees what this one missed.
bool WarmPool::IsChosen(const Stock& stock) const {
  const BackendLine& line = region_.backend(stock.slot);
  bool is_target = line.target_port.load(std::memory_order_relaxed) == stock.address.port;
  for (size_t i = 0; i < 4; i++) {
    is_target &= line.target_address[i].load(std::memory_order_relaxed) == stock.address.words[i];
  }
  return is_target && counters_.TakesClients(stock.slot);
}

bool WarmPool::MayOpen(const Stock& stock, uint64_t now_ms) const {
  if (stock.size() >= std::min(stock.target, share_) || open_ >= options_.max_connections) return false;
  if (counters_.IsShedding()) return false;
  if (stock.connecting >= kMaxConnectingPerBackend || !IsChosen(stock)) return false;
  // After a failure one per rest, for it may fail too.
  if (stock.back_off_ms == 0) return true;
  return stock.probe == nullptr && stock.connecting == 0 && now_ms >= stock.retry_at_ms;
}

bool WarmPool::MayRefill() const { return !short_of_.empty() && connecting_ < kMaxConnecting; }

// Whoever cannot get more now leaves the queue; what makes it possible puts it back: a client, a connect that succeeds,
// the end of a rest, a probe that held.
void WarmPool::Refill(uint64_t now_ms) {
  while (MayRefill()) {
    Stock& stock = *stocks_[short_of_.back()];
    if (HasChanged(stock)) CloseBackend(stock.slot);
    if (!is_stopped_ && MayOpen(stock, now_ms)) {
      OpenOne(stock, now_ms);
      continue;
    }
    short_of_.pop_back();
    stock.is_queued = false;
  }
}

void WarmPool::OpenOne(Stock& stock, uint64_t now_ms) {
  Warm& warm = slab_.Take();
  warm.phase = Phase::kConnecting;
  warm.slot = stock.slot;
  warm.opened_ms = now_ms;
  warm.opened_us = MonotonicUs();
  if (stock.back_off_ms != 0) stock.probe = &warm;
  open_++;
  connecting_++;
  stock.connecting++;

  warm.fd = MakeBackendSocket(stock.address);
  int error = warm.fd.is_open() ? BeginConnect(warm.fd.get(), stock.address, region_) : errno;
  if (error == 0) {
    epoll_event event{};
    event.events = EPOLLOUT | EPOLLRDHUP | uint32_t{EPOLLET};
    event.data.u64 = uint64_t{3} << 62 | uint64_t{warm.generation & kGenerationMask} << 32 | warm.index;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, warm.fd.get(), &event) == 0) {
      return Watch(warm, now_ms);
    }
    error = errno;
  }
  // Our lack is no failure of the backend's; ENOSPC is epoll's limit of watches. Nor is a queue that is full (EAGAIN) for a moment.
  if (!IsOutOfResources(error) && error != ENOSPC && error != EAGAIN) return Fail(warm, error, now_ms);
  Remove(warm);
  BackOff(stock, now_ms);
}

void WarmPool::Queue(Stock& stock) {
  if (stock.is_queued) return;
  stock.is_queued = true;
  short_of_.push_back(stock.slot);
}

void WarmPool::BecomeReady(Warm& warm, uint64_t now_ms) {
  Stock& stock = *stocks_[warm.slot];
  counters_.CountConnectTime(warm.slot, MonotonicUs() - warm.opened_us);
  warm.phase = Phase::kReady;
  warm.ready_ms = now_ms;
  warm.previous = nullptr;
  warm.next = stock.newest;
  if (warm.next != nullptr) warm.next->previous = &warm;
  stock.newest = &warm;
  stock.connecting--;
  connecting_--;
  stock.ready++;
  counters_.AddWarmConnections(1);
  Watch(warm, now_ms);
  Queue(stock);
}

void WarmPool::Trim(Stock& stock) {
  stock.target = std::min(stock.target, share_);
  while (stock.newest != nullptr && (stock.size() > share_ || open_ > options_.max_connections)) Remove(*stock.newest);
}

void WarmPool::CloseAll() {
  for (uint32_t i = 0; i < slab_.size(); i++) {
    if (slab_[i].phase != Phase::kFree) Remove(slab_[i]);
  }
  for (const auto& stock : stocks_) {
    if (stock) stock->target = 0;
  }
}

// The node is free afterwards, and its socket closed unless it was taken out before.
void WarmPool::Remove(Warm& warm) {
  Stock& stock = *stocks_[warm.slot];
  if (stock.probe == &warm) stock.probe = nullptr;
  if (warm.phase == Phase::kResting) {
    stock.resting = nullptr;
  } else {
    open_--;
  }
  if (warm.phase == Phase::kConnecting) {
    stock.connecting--;
    connecting_--;
  } else if (warm.phase == Phase::kReady) {
    (warm.previous == nullptr ? stock.newest : warm.previous->next) = warm.next;
    if (warm.next != nullptr) warm.next->previous = warm.previous;
    stock.ready--;
    counters_.AddWarmConnections(-1);
  }
  // No stream was cut: nobody has had it.
  if (warm.fd.is_open()) EndOnClose(warm.fd.get());
  warm.fd.Reset();
  wheel_.Cancel(warm.timer);
  slab_.Give(warm);
}

// Null for an event of one that is gone since.
WarmPool::Warm* WarmPool::Find(uint64_t token) {
  Warm& warm = slab_[static_cast<uint32_t>(token)];
  const bool is_same = (warm.generation & kGenerationMask) == (token >> 32 & kGenerationMask);
  return is_same && (warm.phase == Phase::kConnecting || warm.phase == Phase::kReady) ? &warm : nullptr;
}

}  // namespace edgeproxy
