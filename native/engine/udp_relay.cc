#include "udp_relay.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "backend_socket.h"

namespace edgeproxy {

namespace {
// UDP has no end but silence, so there is always a limit to that.
constexpr uint64_t kDefaultIdleMs = 60'000;
// How long a client's next datagram is sent elsewhere than to the backend that has just failed it, and how many such clients
// are remembered: beyond that affinity may lead one back once more.
constexpr uint64_t kFailedMs = 10'000;
constexpr uint32_t kMostFailed = 1024;
// Of a listener that is closed: more than its queue can hold, so that a flood does not keep it.
constexpr uint32_t kLastReads = 256;
constexpr uint64_t kNever = UINT64_MAX / 2;
}  // namespace

UdpRelay::UdpRelay(const UdpSurroundings& surroundings, uint64_t now_us)
    : around_(surroundings),
      counters_(around_.region, around_.worker),
      breaker_(around_.region),
      offloads_(ProbeUdpOffloads()),
      now_us_(now_us),
      now_ms_(now_us / 1000),
      table_(around_.region.seeds()),
      wheel_(now_ms_),
      from_clients_(true),
      from_backends_(false),
      to_backend_(offloads_.has_gso),
      to_clients_(offloads_.has_gso) {
  touched_.reserve(DatagramReader::kMost);
}

void UdpRelay::SetClock(uint64_t now_us) {
  now_us_ = now_us;
  now_ms_ = now_us / 1000;
}

// The place of one that was closed is taken again.
int UdpRelay::AddListener(uint32_t id, UniqueFd fd) {
  const auto place =
      std::find_if(listeners_.begin(), listeners_.end(), [](const Listener& listener) { return !listener.fd.is_open(); });
  const auto position = static_cast<uint32_t>(place - listeners_.begin());
  Listener listener{id, std::move(fd)};
  sockaddr_storage address{};
  if (!LocalAddress(listener.fd.get(), address)) return errno;
  listener.bound = PeerAddress::FromSockaddr(address);
  const uint32_t* words = listener.bound.words;
  listener.is_wildcard = (words[0] | words[1] | words[3]) == 0 && (words[2] == 0 || words[2] == 0xffff);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kTokenBits | kListenerBit | position;
  if (::epoll_ctl(around_.epoll, EPOLL_CTL_ADD, listener.fd.get(), &event) == -1) return errno;
  if (place == listeners_.end()) {
    listeners_.push_back(std::move(listener));
  } else {
    *place = std::move(listener);
  }
  return 0;
}

void UdpRelay::CloseListener(uint32_t id) {
  for (uint32_t position = 0; position < listeners_.size(); position++) {
    Listener& listener = listeners_[position];
    if (listener.id != id || !listener.fd.is_open()) continue;
    if (!listener.has_left) ReceiveFrom(position, kLastReads);
  }
  for (uint32_t i = 0; i < table_.size(); i++) {
    UdpSession& session = table_[i];
    if (session.phase == UdpPhase::kFree || session.key.listener != id) continue;
    if (session.phase == UdpPhase::kRelaying) {
      ReadReplies(session);
      if (session.phase == UdpPhase::kRelaying) End(session, EndReason::kShutdown);
    } else {
      Forget(session);
    }
  }
  FlushReplies();
  for (Listener& listener : listeners_) {
    if (listener.id != id || !listener.fd.is_open()) continue;
    // The primary may hold the same socket open, and epoll watches sockets, not descriptors.
    ::epoll_ctl(around_.epoll, EPOLL_CTL_DEL, listener.fd.get(), nullptr);
    listener.fd.Reset();
  }
}

void UdpRelay::LeaveListener(uint32_t id) {
  for (Listener& listener : listeners_) {
    if (listener.id != id || !listener.fd.is_open()) continue;
    listener.has_left = true;
    ::epoll_ctl(around_.epoll, EPOLL_CTL_DEL, listener.fd.get(), nullptr);
  }
}

void UdpRelay::OnEvent(uint64_t token, uint32_t events, uint32_t connections) {
  connections_ = connections;
  if ((token & kListenerBit) != 0) {
    constexpr uint32_t kReadsPerTurn = 4;
    ReceiveFrom(static_cast<uint32_t>(token), kReadsPerTurn);
  } else if (UdpSession* session = Find(token)) {
    OnSessionEvent(*session, events);
  }
}

bool UdpRelay::Run() {
  FlushReplies();
  pass_++;
  return std::exchange(has_moved_, false);
}

void UdpRelay::Advance() {
  wheel_.Advance(now_ms_, [this](TimerNode& node) { OnTimer(UdpSession::OfTimer(node)); });
}

int64_t UdpRelay::NextDelayMs() const { return wheel_.NextDelayMs(now_ms_); }

void UdpRelay::Reconfigure() {
  for (uint32_t i = 0; i < table_.size(); i++) {
    UdpSession& session = table_[i];
    if (session.phase == UdpPhase::kRelaying) wheel_.Schedule(session.timer, Deadline(session));
  }
}

void UdpRelay::CloseBackend(uint32_t slot, EndReason reason) {
  for (uint32_t i = 0; i < table_.size(); i++) {
    UdpSession& session = table_[i];
    if (session.phase == UdpPhase::kRelaying && session.slot == slot) End(session, reason);
  }
}

void UdpRelay::Close() {
  FlushReplies();
  for (uint32_t i = 0; i < table_.size(); i++) {
    UdpSession& session = table_[i];
    if (session.phase == UdpPhase::kRelaying) {
      End(session, EndReason::kShutdown);
    } else if (session.phase == UdpPhase::kFailed) {
      Forget(session);
    }
  }
  listeners_.clear();
}

uint64_t UdpRelay::Deadline(const UdpSession& session) const {
  if (session.phase == UdpPhase::kFailed) return session.last_activity_ms + kFailedMs;
  const ListenerSettings& settings = around_.options.listeners.Get(session.key.listener);
  uint64_t idle_ms = settings.idle_timeout_ms == 0 ? kDefaultIdleMs : settings.idle_timeout_ms;
  if (!session.has_answered) idle_ms = std::min(idle_ms, settings.unanswered_timeout_ms);
  const uint64_t lifetime_ms = settings.max_lifetime_ms == 0 ? kNever : session.started_ms + settings.max_lifetime_ms;
  return std::min(session.last_activity_ms + idle_ms, lifetime_ms);
}

void UdpRelay::OnTimer(UdpSession& session) {
  if (Deadline(session) > now_ms_) return wheel_.Schedule(session.timer, Deadline(session));
  if (session.phase == UdpPhase::kFailed) return Forget(session);
  const uint64_t lifetime_ms = around_.options.listeners.Get(session.key.listener).max_lifetime_ms;
  const bool is_old = lifetime_ms != 0 && session.started_ms + lifetime_ms <= now_ms_;
  End(session, is_old ? EndReason::kMaxLifetime : EndReason::kIdleTimeout);
}

// Of a client that waits for route().
void UdpRelay::Reject(UdpSession& session, RejectReason reason) {
  counters_.CountRejected(reason, 1);
  if (AccessTrace* trace = TraceOf(session)) {
    around_.access.WriteRejection(*trace, {session.key.client, session.key.listener, true}, reason, now_us_);
  }
  Release(session);
  Forget(session);
}

void UdpRelay::End(UdpSession& session, EndReason reason) {
  CountEnded(session, reason);
  LeaveBackend(session);
  Release(session);
  Forget(session);
}

// The network says that its backend does not take its datagrams.
void UdpRelay::FailSession(UdpSession& session, int error) {
  const BackendError kind = ErrorKind(error);
  counters_.CountBackendError(session.slot, kind);
  if (AccessTrace* trace = TraceOf(session)) trace->error = static_cast<uint8_t>(kind);
  if (kind != BackendError::kOther) breaker_.Failed(session.slot, session.is_trial);
  CountEnded(session, EndReason::kIcmpError);
  LeaveBackend(session);
  Release(session);
  if (failed_ == kMostFailed) return Forget(session);
  failed_++;
  session.phase = UdpPhase::kFailed;
  session.last_activity_ms = now_ms_;
  session.tried_slots[0] = static_cast<uint16_t>(session.slot);
  wheel_.Schedule(session.timer, Deadline(session));
}

// With its last replies.
void UdpRelay::CountEnded(const UdpSession& session, EndReason reason) {
  SendReplies();
  counters_.CountEnded(reason, now_ms_ - session.started_ms, session.bytes_from_client + session.bytes_to_client);
  if (AccessTrace* trace = TraceOf(session)) around_.access.WriteEnd(*trace, SubjectOf(session), reason, now_us_);
}

// Gives its place there back.
void UdpRelay::LeaveBackend(UdpSession& session) {
  SendReplies();
  counters_.ReleasePlace(session.slot);
  session.fd.Reset();
  session.phase = UdpPhase::kRouting;
}

// Gives back what makes it a client.
void UdpRelay::Release(UdpSession& session) {
  counters_.LeaveClient(std::exchange(session.client_word, 0));
  table_.clients().Leave(session.client);
  counters_.Leave(session.key.listener);
  live_--;
}

void UdpRelay::Forget(UdpSession& session) {
  if (session.phase == UdpPhase::kFailed) failed_--;
  wheel_.Cancel(session.timer);
  table_.Remove(session);
}

uint64_t UdpRelay::TokenOf(const UdpSession& session) {
  return kTokenBits | uint64_t{session.generation & kGenerationMask} << 32 | session.index;
}

// Null for an event of a session that has ended since.
UdpSession* UdpRelay::Find(uint64_t token) {
  UdpSession& session = table_[static_cast<uint32_t>(token)];
  const bool is_same = (session.generation & kGenerationMask) == (token >> 32 & kGenerationMask);
  return is_same && session.phase == UdpPhase::kRelaying ? &session : nullptr;
}

}  // namespace edgeproxy
