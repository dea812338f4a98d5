// How long the pool's connections live, and how long a backend that lets none live is left alone.
#include <algorithm>
#include <cerrno>

#include "backend_socket.h"
#include "warm_pool.h"

namespace edgeproxy {

namespace {
constexpr uint64_t kFirstBackOffMs = 100;
constexpr uint64_t kLongestBackOffMs = 30'000;
// A connection that was open for so long was good: its end is a backend's idle timeout, not a refusal.
constexpr uint64_t kSettledMs = 1'000;
// How often each is asked whether clients are still sent to where it leads.
constexpr uint64_t kLookMs = kSettledMs;
}  // namespace

void WarmPool::DiedTaken(uint32_t slot, uint64_t taken_ms, uint64_t now_ms) {
  if (slot >= stocks_.size() || !stocks_[slot] || HasChanged(*stocks_[slot])) return;
  if (now_ms < taken_ms + kSettledMs) BackOff(*stocks_[slot], now_ms);
}

bool WarmPool::IsInUse(const Stock& stock, uint64_t now_ms) const {
  return now_ms < stock.last_asked_ms + options_.idle_timeout_ms;
}

void WarmPool::Fail(Warm& warm, int error, uint64_t now_ms) {
  Stock& stock = *stocks_[warm.slot];
  const BackendError kind = ErrorKind(error);
  counters_.CountBackendError(warm.slot, kind);
  Remove(warm);
  const bool is_first = BackOff(stock, now_ms);
  // As for a client's connect: an error of our own is no failure of the backend.
  if (is_first && kind != BackendError::kOther) breaker_.Failed(stock.slot, false);
}

void WarmPool::Lose(Warm& warm, uint64_t now_ms) {
  Stock& stock = *stocks_[warm.slot];
  const bool has_settled = now_ms >= warm.ready_ms + kSettledMs;
  if (has_settled && stock.probe == &warm) Recover(stock);
  Remove(warm);
  // The end of an old one tells nothing of those that are opened now.
  if (!has_settled || stock.back_off_ms == 0) BackOff(stock, now_ms);
}

void WarmPool::Recover(Stock& stock) {
  stock.probe = nullptr;
  stock.back_off_ms = 0;
  Queue(stock);
}

// Several that fail together are one failure. Returns whether this one begins a rest.
bool WarmPool::BackOff(Stock& stock, uint64_t now_ms) {
  if (stock.back_off_ms != 0 && now_ms < stock.retry_at_ms) return false;
  stock.back_off_ms = stock.back_off_ms == 0 ? kFirstBackOffMs : std::min(stock.back_off_ms * 2, kLongestBackOffMs);
  stock.retry_at_ms = now_ms + stock.back_off_ms;
  if (stock.resting == nullptr) {
    stock.resting = &slab_.Take();
    stock.resting->phase = Phase::kResting;
    stock.resting->slot = stock.slot;
  }
  wheel_.Schedule(stock.resting->timer, stock.retry_at_ms);
  return true;
}

uint64_t WarmPool::Deadline(const Warm& warm) const {
  switch (warm.phase) {
    case Phase::kConnecting:
      return warm.opened_ms + options_.connect_timeout_ms;
    case Phase::kReady:
      return std::min(warm.ready_ms + options_.idle_timeout_ms, warm.opened_ms + options_.max_lifetime_ms);
    case Phase::kResting:
      return stocks_[warm.slot]->retry_at_ms;
    case Phase::kFree:
      break;
  }
  return 0;
}

void WarmPool::Watch(Warm& warm, uint64_t now_ms) {
  wheel_.Schedule(warm.timer, std::clamp(Deadline(warm), now_ms, now_ms + kLookMs));
}

void WarmPool::OnTimer(Warm& warm, uint64_t now_ms) {
  Stock& stock = *stocks_[warm.slot];
  if (HasChanged(stock) || !IsChosen(stock)) return CloseBackend(warm.slot);
  if (stock.probe == &warm && warm.phase == Phase::kReady && now_ms >= warm.ready_ms + kSettledMs) Recover(stock);
  if (Deadline(warm) > now_ms) return Watch(warm, now_ms);
  switch (warm.phase) {
    case Phase::kConnecting:
      return Fail(warm, ETIMEDOUT, now_ms);
    case Phase::kReady:
      return Retire(warm, now_ms);
    case Phase::kResting:
      return EndRest(stock, now_ms);
    case Phase::kFree:
      return;
  }
}

// A backend that no client wants any more is not asked again.
void WarmPool::EndRest(Stock& stock, uint64_t now_ms) {
  Remove(*stock.resting);
  if (!IsInUse(stock, now_ms)) stock.target = 0;
  Queue(stock);
}

// Whoever grew too old while there were clients has a successor; whoever nobody wanted has none.
void WarmPool::Retire(Warm& warm, uint64_t now_ms) {
  Stock& stock = *stocks_[warm.slot];
  // It held for as long as it may.
  if (stock.probe == &warm) Recover(stock);
  const bool was_wanted = now_ms < warm.ready_ms + options_.idle_timeout_ms && IsInUse(stock, now_ms);
  Remove(warm);
  if (was_wanted) return Queue(stock);
  stock.target = std::min(stock.target, stock.size());
}

}  // namespace edgeproxy
