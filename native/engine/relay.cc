#include "relay.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cerrno>

namespace edgeproxy {

namespace {
constexpr int kEventsPerWait = 256;
// After a dial the answer is often there at once (a backend nearby): look again before going back to the loop.
constexpr int kPassesPerDispatch = 3;

uint64_t MonotonicMs() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}
}  // namespace

Relay::Relay(const RelayOptions& options, RegionView region, uint32_t worker, RelayHost& host, RouteRequest* requests,
             const RouteResponse* responses)
    : options_(options),
      counters_(region, worker),
      host_(host),
      requests_(requests),
      responses_(responses),
      now_ms_(MonotonicMs()),
      wheel_(now_ms_),
      pipes_(options.max_pipes, &counters_.block().splice_pipes),
      copy_buffer_(std::make_unique_for_overwrite<char[]>(kCopyBufferBytes)),
      pump_{copy_buffer_.get(), &pipes_, options.is_splice_enabled, now_ms_, &counters_.block().splice_fallbacks, 0} {}

Relay::~Relay() { Close(); }

int Relay::Open(UniqueFd channel) {
  epoll_.Reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.is_open()) return errno;
  channel_ = std::move(channel);
  return Watch(channel_.get(), kChannelToken, EPOLLIN);
}

void Relay::ReadClock() { now_ms_ = pump_.now_ms = MonotonicMs(); }

void Relay::Dispatch() {
  if (!epoll_.is_open()) return;
  epoll_event events[kEventsPerWait];
  for (int pass = 0; pass < kPassesPerDispatch; pass++) {
    ReadClock();
    const int ready = ::epoll_wait(epoll_.get(), events, kEventsPerWait, 0);
    for (int i = 0; i < ready; i++) OnEvent(events[i].data.u64, events[i].events);
    RunQueued();
    const bool has_dialled = RouteWaiting();
    if (!has_dialled && ready < kEventsPerWait) break;
  }
  wheel_.Advance(now_ms_, [this](TimerNode& node) { OnTimer(Connection::OfTimer(node)); });
  RouteWaiting();  // connects that timed out
  UpdateListening();
  counters_.block().relays_open.store(static_cast<int32_t>(slab_.in_use()), std::memory_order_relaxed);
  counters_.block().pending_bytes.store(static_cast<int32_t>(pump_.pending_bytes), std::memory_order_relaxed);
}

int64_t Relay::NextDispatchMs() const {
  if (!queued_.empty()) return 0;
  const int64_t timer = wheel_.NextDelayMs(now_ms_);
  if (listening_paused_until_ms_ <= now_ms_) return timer;
  const auto pause = static_cast<int64_t>(listening_paused_until_ms_ - now_ms_);
  return timer == -1 ? pause : std::min(timer, pause);
}

void Relay::Close() {
  if (!epoll_.is_open()) return;
  for (uint32_t i = 0; i < slab_.size(); i++) {
    Connection& connection = slab_[i];
    if (connection.phase == Phase::kRelaying) {
      Abort(connection, EndReason::kShutdown);
    } else if (connection.phase != Phase::kFree) {
      Reject(connection, RejectReason::kShutdown);
    }
  }
  waiting_.clear();
  queued_.clear();
  listeners_.clear();
  channel_.Reset();
  epoll_.Reset();
}

void Relay::OnEvent(uint64_t token, uint32_t events) {
  if (token == kChannelToken) return ReadChannel();
  if ((token & kSpecialToken) != 0) {
    AcceptFrom(static_cast<uint32_t>(token));
    return;
  }
  Connection* connection = Find(token);
  if (connection == nullptr) return;
  const Side side = static_cast<Side>(token & 1);
  Endpoint& endpoint = side == Side::kClient ? connection->client : connection->backend;
  endpoint.TakeEvents(events);

  if (connection->phase != Phase::kRelaying) return OnConnectEvent(*connection, side, events);
  if (!PumpBoth(*connection)) return;
  // The error did not show in a read or write, as when the other side takes nothing. Where there is more to read than one
  // turn allows, a later turn finds it.
  if ((events & EPOLLERR) == 0 || connection->is_queued) return;
  Abort(*connection, side == Side::kClient ? EndReason::kClientReset : EndReason::kBackendReset);
}

bool Relay::PumpBoth(Connection& connection) {
  return PumpOne(connection, Side::kClient) && PumpOne(connection, Side::kBackend);
}

// Returns whether the connection is still there.
bool Relay::PumpOne(Connection& connection, Side from) {
  const bool is_upload = from == Side::kClient;
  Direction& direction = is_upload ? connection.upload : connection.download;
  if (direction.is_finished()) return true;
  const PumpOutcome outcome = PumpAndCount(connection, from);
  switch (outcome) {
    case PumpOutcome::kWaiting:
      return true;
    case PumpOutcome::kAgain:
      Queue(connection);
      return true;
    case PumpOutcome::kFinished:
      return ForwardEnd(connection, from);
    case PumpOutcome::kSourceFailed:
      Abort(connection, is_upload ? EndReason::kClientReset : EndReason::kBackendReset);
      return false;
    case PumpOutcome::kSinkFailed:
      TakeLastWords(connection, is_upload ? Side::kBackend : Side::kClient);
      Abort(connection, is_upload ? EndReason::kBackendReset : EndReason::kClientReset);
      return false;
  }
  return true;
}

PumpOutcome Relay::PumpAndCount(Connection& connection, Side from) {
  const bool is_upload = from == Side::kClient;
  Endpoint& source = is_upload ? connection.client : connection.backend;
  Endpoint& sink = is_upload ? connection.backend : connection.client;
  uint64_t delivered = 0;
  const PumpOutcome outcome = (is_upload ? connection.upload : connection.download).Pump(source, sink, pump_, delivered);
  if (delivered == 0) return outcome;
  connection.last_activity_ms = now_ms_;
  if (is_upload) {
    if (connection.is_ack_delayed) StopDelayingAck(connection);
    counters_.CountFromClient(connection.slot, delivered);
  } else {
    counters_.CountToClient(connection.slot, delivered);
  }
  return outcome;
}

// A side that takes no more bytes may have sent some before, as a backend does that answers early, closes, and resets what
// the client goes on uploading: they are delivered before the abort. What Pump returns does not matter: the failed write
// has taken the socket's error, so the end that a read finds now is none.
void Relay::TakeLastWords(Connection& connection, Side from) {
  Endpoint& source = from == Side::kClient ? connection.client : connection.backend;
  source.is_readable = source.has_hung_up = true;
  if (!(from == Side::kClient ? connection.upload : connection.download).is_finished()) PumpAndCount(connection, from);
}

// `from` has sent all it will: tells the other side, or ends where that has finished too. Returns as PumpOne.
bool Relay::ForwardEnd(Connection& connection, Side from) {
  const bool is_upload = from == Side::kClient;
  if ((is_upload ? connection.download : connection.upload).is_finished()) {
    // close(2) sends the second FIN.
    End(connection, EndReason::kFinished);
    return false;
  }
  ::shutdown((is_upload ? connection.backend : connection.client).fd.get(), SHUT_WR);
  connection.last_activity_ms = now_ms_;
  wheel_.Schedule(connection.timer, Deadline(connection));
  return true;
}

void Relay::Queue(Connection& connection) {
  if (connection.is_queued) return;
  connection.is_queued = true;
  queued_.push_back(TokenOf(connection, Side::kClient));
}

// One more turn for each that used up its last one; whoever needs yet another is queued again for the next dispatch.
void Relay::RunQueued() {
  if (queued_.empty()) return;
  turn_.swap(queued_);
  for (const uint64_t token : turn_) {
    Connection* connection = Find(token);
    if (connection == nullptr) continue;
    connection->is_queued = false;
    PumpBoth(*connection);
  }
  turn_.clear();
}

uint64_t Relay::Deadline(const Connection& connection) const {
  if (connection.phase != Phase::kRelaying) return connection.last_activity_ms + options_.connect_timeout_ms;
  uint64_t quiet_ms = options_.idle_timeout_ms;
  const bool is_half_closed = connection.upload.is_finished() || connection.download.is_finished();
  if (is_half_closed && options_.half_close_timeout_ms != 0 &&
      (quiet_ms == 0 || options_.half_close_timeout_ms < quiet_ms)) {
    quiet_ms = options_.half_close_timeout_ms;
  }
  uint64_t deadline = quiet_ms == 0 ? kNever : connection.last_activity_ms + quiet_ms;
  if (options_.max_lifetime_ms != 0) deadline = std::min(deadline, connection.started_ms + options_.max_lifetime_ms);
  return deadline;
}

void Relay::OnTimer(Connection& connection) {
  if (Deadline(connection) > now_ms_) {
    wheel_.Schedule(connection.timer, Deadline(connection));
  } else if (connection.phase == Phase::kConnecting) {
    ConnectFailed(connection, ETIMEDOUT);
  } else if (options_.max_lifetime_ms != 0 && connection.started_ms + options_.max_lifetime_ms <= now_ms_) {
    Abort(connection, EndReason::kMaxLifetime);
  } else {
    const bool is_half_closed = connection.upload.is_finished() || connection.download.is_finished();
    Abort(connection, is_half_closed ? EndReason::kHalfCloseTimeout : EndReason::kIdleTimeout);
  }
}

void Relay::Reject(Connection& connection, RejectReason reason) {
  counters_.CountRejected(reason, 1);
  // A reset, so that the client sees a failure and not an empty answer; and the backend, where it has accepted already.
  ResetOnClose(connection.client);
  ResetOnClose(connection.backend);
  Free(connection);
}

void Relay::End(Connection& connection, EndReason reason) {
  counters_.CountEnded(reason);
  Free(connection);
}

// Abort is abort: the other side learns that the stream is broken, and no TIME_WAIT holds a port towards the backend.
void Relay::Abort(Connection& connection, EndReason reason) {
  ResetOnClose(connection.client);
  ResetOnClose(connection.backend);
  End(connection, reason);
}

void Relay::ResetOnClose(Endpoint& endpoint) {
  const linger reset{1, 0};
  if (endpoint.fd.is_open()) ::setsockopt(endpoint.fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

void Relay::Free(Connection& connection) {
  if (connection.phase != Phase::kRouting) counters_.ReleasePlace(connection.slot);
  wheel_.Cancel(connection.timer);
  connection.upload.Reset(pump_);
  connection.download.Reset(pump_);
  connection.client = Endpoint{};
  connection.backend = Endpoint{};
  connection.tries = 0;
  connection.is_ack_delayed = false;
  connection.is_client_watched = false;
  connection.is_queued = false;
  slab_.Give(connection);
  counters_.block().active.fetch_sub(1, std::memory_order_release);
}

int Relay::Watch(int fd, uint64_t token, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = token;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == -1 ? errno : 0;
}

uint64_t Relay::TokenOf(const Connection& connection, Side side) {
  const uint64_t generation = connection.generation & 0x7fff'ffff;
  return generation << 32 | uint64_t{connection.index} << 1 | static_cast<uint64_t>(side);
}

// Null for an event of a connection that has ended since.
Connection* Relay::Find(uint64_t token) {
  Connection& connection = slab_[static_cast<uint32_t>(token) >> 1];
  const bool is_same = (connection.generation & 0x7fff'ffff) == token >> 32;
  return is_same && connection.phase != Phase::kFree ? &connection : nullptr;
}

}  // namespace edgeproxy
