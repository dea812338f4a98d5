#include "relay.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "monotonic_us.h"
#include "udp_relay.h"

namespace edgeproxy {

namespace {
constexpr int kEventsPerWait = 256;
// After a dial the answer is often there at once (a backend nearby): look again before going back to the loop.
constexpr int kPassesPerDispatch = 3;

// Of two delays, of which -1 is none.
int64_t Sooner(int64_t a, int64_t b) { return a == -1 || b == -1 ? std::max(a, b) : std::min(a, b); }
}  // namespace

Relay::Relay(const RelayOptions& options, RegionView region, uint32_t worker, RelayHost& host, const BatchArrays& batch)
    : options_(options),
      region_(region),
      counters_(region, worker),
      room_(region, options.limits),
      gate_(region),
      breaker_(region),
      host_(host),
      batch_(batch),
      now_us_(MonotonicUs()),
      now_ms_(now_us_ / 1000),
      wheel_(now_ms_),
      pipes_(options.max_pipes, &counters_.block().splice_pipes),
      warm_(options.pool, region, worker, now_ms_),
      pump_{nullptr, 0, &pipes_, options.is_splice_enabled, now_ms_, &counters_.block().splice_fallbacks, 0} {
  SizeCopyBuffer(options.copy_buffer_bytes);
  gate_.Configure(options.rate_rule);
}

Relay::~Relay() { Close(); }

int Relay::Open(UniqueFd channel) {
  epoll_.Reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.is_open()) return errno;
  warm_.Open(epoll_.get());
  channel_ = std::move(channel);
  return Watch(channel_.get(), kChannelToken, EPOLLIN);
}

void Relay::ReadClock() {
  now_us_ = MonotonicUs();
  now_ms_ = pump_.now_ms = now_us_ / 1000;
  if (udp_) udp_->SetClock(now_us_);
}

// Bytes are in the buffer only while a direction moves them.
void Relay::SizeCopyBuffer(uint32_t bytes) {
  const uint32_t size = std::max(bytes, kLeastCopyBufferBytes);
  if (size == pump_.copy_buffer_bytes) return;
  copy_buffer_ = std::make_unique_for_overwrite<char[]>(size);
  pump_.copy_buffer = copy_buffer_.get();
  pump_.copy_buffer_bytes = size;
}

BatchClock Relay::ClockOfBatch() const {
  return {static_cast<int32_t>(now_us_ / 1'000'000), static_cast<int32_t>(static_cast<uint32_t>(now_us_))};
}

void Relay::Configure(const RelayOptions& options) {
  const uint32_t max_pipes = options_.max_pipes;
  options_ = options;
  options_.max_pipes = max_pipes;
  room_.Configure(options.limits);
  gate_.Configure(options.rate_rule);
  pump_.is_splice_enabled = options.is_splice_enabled;
  SizeCopyBuffer(options.copy_buffer_bytes);
  if (!epoll_.is_open()) return;
  ReadClock();
  warm_.Configure(options.pool, now_ms_);
  for (uint32_t i = 0; i < slab_.size(); i++) {
    Connection& connection = slab_[i];
    if (connection.holds_place() || connection.phase == Phase::kPeeking) Reschedule(connection);
  }
  if (udp_) udp_->Reconfigure();
  UpdateListening();
}

void Relay::Dispatch() {
  if (!epoll_.is_open()) return;
  epoll_event events[kEventsPerWait];
  for (int pass = 0; pass < kPassesPerDispatch; pass++) {
    ReadClock();
    const int ready = ::epoll_wait(epoll_.get(), events, kEventsPerWait, 0);
    for (int i = 0; i < ready; i++) OnEvent(events[i].data.u64, events[i].events);
    RunQueued();
    const bool has_dialled = RouteWaiting();
    const bool has_moved = udp_ != nullptr && udp_->Run();
    // Also a backend nearby answers what is opened ahead by the next look.
    warm_.Run(now_ms_);
    if (!has_dialled && !has_moved && ready < kEventsPerWait) break;
  }
  wheel_.Advance(now_ms_, [this](TimerNode& node) { OnTimer(Connection::OfTimer(node)); });
  if (udp_) udp_->Advance();
  Conclude();
}

// Whatever ends or frees connections ends with this: whoever must be routed again (after a connect that timed out) is, and
// clients who wait for a place are let in.
void Relay::Conclude() {
  for (uint32_t position = 0; is_draining_ && position < listeners_.size(); position++) EmptyAndClose(position);
  RouteWaiting();
  UpdateListening();
  counters_.block().relays_open.store(static_cast<int32_t>(slab_.in_use()), std::memory_order_relaxed);
  if (udp_) counters_.SetUdpSessions(udp_->session_count());
  counters_.block().pending_bytes.store(static_cast<int32_t>(pump_.pending_bytes), std::memory_order_relaxed);
}

int64_t Relay::NextDispatchMs() const {
  if (!queued_.empty()) return 0;
  int64_t due_ms = Sooner(wheel_.NextDelayMs(now_ms_), warm_.NextDelayMs(now_ms_));
  if (udp_) due_ms = Sooner(due_ms, udp_->NextDelayMs());
  for (const uint64_t listening_ms : {listening_paused_until_ms_, next_listening_ms_}) {
    if (listening_ms > now_ms_ && listening_ms != kNever) due_ms = Sooner(due_ms, static_cast<int64_t>(listening_ms - now_ms_));
  }
  return due_ms;
}

uint32_t Relay::connection_count() const { return slab_.in_use() + (udp_ ? udp_->session_count() : 0); }

void Relay::Close() {
  if (!epoll_.is_open()) return;
  ReadClock();
  for (uint32_t i = 0; i < slab_.size(); i++) {
    Connection& connection = slab_[i];
    if (connection.phase == Phase::kRelaying) {
      End(connection, EndReason::kShutdown);
    } else if (connection.phase != Phase::kFree) {
      Reject(connection, RejectReason::kShutdown);
    }
  }
  warm_.Stop();
  udp_.reset();
  waiting_.clear();
  queued_.clear();
  listeners_.clear();
  channel_.Reset();
  epoll_.Reset();
}

void Relay::OnEvent(uint64_t token, uint32_t events) {
  if (token == kChannelToken) return ReadChannel();
  if (UdpRelay::IsToken(token)) return udp_->OnEvent(token, events, slab_.in_use());
  if (WarmPool::IsToken(token)) return warm_.OnEvent(token, events, now_ms_);
  if ((token & kSpecialToken) != 0) {
    AcceptFrom(static_cast<uint32_t>(token));
    return;
  }
  Connection* connection = Find(token);
  if (connection == nullptr) return;
  const Side side = static_cast<Side>(token & 1);
  Endpoint& endpoint = side == Side::kClient ? connection->client : connection->backend;
  endpoint.TakeEvents(events);

  if (connection->phase == Phase::kPeeking) return OnPeekEvent(*connection, events);
  if (connection->phase != Phase::kRelaying) return OnConnectEvent(*connection, side, events);
  // Before the first bytes go to a backend that has ended since: it would take them and answer with a reset.
  if (connection->is_replaceable && WarmPool::HasHungUp(connection->backend.fd.get())) return Redial(*connection);
  if (!PumpBoth(*connection)) return;
  // The error did not show in a read or write, as when the other side takes nothing. Where there is more to read than one
  // turn allows, a later turn finds it.
  if ((events & EPOLLERR) == 0 || connection->is_queued) return;
  End(*connection, side == Side::kClient ? EndReason::kClientReset : EndReason::kBackendReset);
}

int Relay::Watch(int fd, uint64_t token, uint32_t events, bool is_known) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = token;
  return ::epoll_ctl(epoll_.get(), is_known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == -1 ? errno : 0;
}

uint64_t Relay::TokenOf(const Connection& connection, Side side) {
  const uint64_t generation = connection.generation & 0x7fff'ffff;
  const uint64_t attempt = side == Side::kBackend && connection.is_redialled ? 2 : 0;
  return generation << 32 | uint64_t{connection.index} << 2 | attempt | static_cast<uint64_t>(side);
}

// Null for an event of a connection that has ended since, or of a backend's socket that another one has replaced since.
Connection* Relay::Find(uint64_t token) {
  Connection& connection = slab_[static_cast<uint32_t>(token) >> 2];
  const bool is_backends = static_cast<Side>(token & 1) == Side::kBackend;
  if (is_backends && ((token & 2) != 0) != connection.is_redialled) return nullptr;
  const bool is_same = (connection.generation & 0x7fff'ffff) == token >> 32;
  return is_same && connection.phase != Phase::kFree ? &connection : nullptr;
}

}  // namespace edgeproxy
