// From clients to backends: whose datagrams these are, where new clients go, and off they go.
#include <sys/epoll.h>

#include <cerrno>
#include <utility>

#include "backend_socket.h"
#include "monotonic_us.h"
#include "udp_relay.h"

namespace edgeproxy {

void UdpRelay::ReceiveFrom(uint32_t position, uint32_t most_reads) {
  if (position >= listeners_.size() || !listeners_[position].fd.is_open()) return;
  for (uint32_t i = 0; i < most_reads; i++) {
    const int count = from_clients_.Read(listeners_[position].fd.get(), 0, DatagramReader::kMost);
    if (count <= 0) return;
    TakeDatagrams(position, static_cast<uint32_t>(count));
    if (static_cast<uint32_t>(count) < DatagramReader::kMost) return;
  }
}

void UdpRelay::TakeDatagrams(uint32_t position, uint32_t count) {
  has_moved_ = true;
  touched_.clear();
  for (uint32_t place = 0; place < count; place++) {
    UdpSession* session = from_clients_.IsCutOff(place) ? nullptr : SessionOf(position, place);
    if (session == nullptr) {
      CountDropped(from_clients_.At(place).count());
      continue;
    }
    next_[place] = UdpSession::kNone;
    if (session->first == UdpSession::kNone) {
      session->first = static_cast<uint8_t>(place);
      touched_.push_back(session);
    } else {
      next_[session->last] = static_cast<uint8_t>(place);
    }
    session->last = static_cast<uint8_t>(place);
  }
  Route();
  for (UdpSession* session : touched_) Forward(*session);
}

// Null where there is none and none may begin.
UdpSession* UdpRelay::SessionOf(uint32_t position, uint32_t place) {
  const Listener& listener = listeners_[position];
  const UdpName& name = from_clients_.SenderOf(place);
  UdpKey key;
  key.listener = listener.id;
  sockaddr_storage from;
  if (name.any.sa_family == AF_INET) {
    reinterpret_cast<sockaddr_in&>(from) = name.v4;
  } else {
    reinterpret_cast<sockaddr_in6&>(from) = name.v6;
    key.scope = name.v6.sin6_scope_id;
  }
  key.client = PeerAddress::FromSockaddr(from);
  // Says that no answer is wanted, or is forged: there is no sending to it.
  if (key.client.port == 0) return nullptr;
  if (listener.is_wildcard) from_clients_.ReadLocal(place, key.local);
  const uint64_t hash = table_.HashOf(key);
  UdpSession* session = table_.Find(key, hash);
  if (session != nullptr && session->phase != UdpPhase::kFailed) return session;
  return Begin(position, place, key, hash, session);
}

// `failed`: what is left of the client's last session, or null.
UdpSession* UdpRelay::Begin(uint32_t position, uint32_t place, const UdpKey& key, uint64_t hash, UdpSession* failed) {
  if (is_draining_) return nullptr;
  counters_.CountAccepted(1);
  uint32_t client = 0;
  RejectReason refusal{};
  if (!MayBegin(key.listener, key.client, client, refusal)) {
    counters_.CountRejected(refusal, 1);
    if (around_.access.IsOn()) around_.access.WriteRefusal({key.client, key.listener, true}, refusal, now_us_);
    return nullptr;
  }
  UdpSession& session = failed == nullptr ? table_.Insert(key, hash) : *failed;
  if (failed != nullptr) {
    failed_--;
    wheel_.Cancel(session.timer);
  }
  live_++;
  session.phase = UdpPhase::kRouting;
  session.tries = session.avoided = failed == nullptr ? 0 : 1;
  session.name = from_clients_.SenderOf(place);
  session.position = position;
  session.client = client;
  session.first = UdpSession::kNone;
  session.is_busy = session.has_answered = false;
  session.single_reads = 0;
  session.has_gso_to_backend = session.has_gso_to_client = true;
  if (around_.access.IsOn()) around_.access.sessions.Begin(session.index, now_us_);
  waiting_.push_back(&session);
  return &session;
}

// Takes the client's places in all limits, or says which of them is reached. The cheapest first: who is over his rate is many.
bool UdpRelay::MayBegin(uint32_t listener, const PeerAddress& client, uint32_t& entry, RejectReason& refusal) {
  refusal = RejectReason::kRateLimited;
  if (around_.gate.Refuses(client)) return false;
  refusal = RejectReason::kTooManySessions;
  if (live_ >= around_.options.max_udp_sessions || live_ + connections_ >= around_.options.max_connections) return false;
  const uint32_t most = around_.options.listeners.Get(listener).max_sessions_per_client;
  entry = table_.clients().Enter(listener, client, most);
  if (entry == UdpClients::kNone) return false;
  counters_.Enter(listener);
  if (!around_.room.IsLimited(listener) || (around_.room.InAll() >= 0 && around_.room.At(listener) >= 0)) return true;
  counters_.Leave(listener);
  table_.clients().Leave(entry);
  return false;
}

// One batch for all new clients of a read; who cannot be connected at once is asked for again, at most as often as it may be
// tried.
void UdpRelay::Route() {
  while (!waiting_.empty()) {
    asked_.clear();
    std::swap(asked_, waiting_);
    for (size_t i = 0; i < asked_.size(); i++) FillRequest(around_.requests[i], *asked_[i]);
    const BatchClock now = {static_cast<int32_t>(now_us_ / 1'000'000), static_cast<int32_t>(static_cast<uint32_t>(now_us_))};
    const uint64_t asked_ns = MonotonicNs();
    around_.host.OnBatch(static_cast<uint32_t>(asked_.size()), now);
    counters_.CountDecisions(asked_.size(), MonotonicNs() - asked_ns);
    for (size_t i = 0; i < asked_.size(); i++) TakeResponse(*asked_[i], around_.responses[i]);
  }
}

void UdpRelay::FillRequest(RouteRequest& request, const UdpSession& session) const {
  request = RouteRequest{};
  request.listener = static_cast<int32_t>(session.key.listener);
  request.port = static_cast<int32_t>(session.key.client.port);
  const Listener& listener = listeners_[session.position];
  for (int i = 0; i < 4; i++) {
    request.address[i] = session.key.client.words[i];
    request.destination[i] = listener.is_wildcard ? session.key.local[i] : listener.bound.words[i];
  }
  request.tries = session.tries;
  for (uint8_t i = 0; i < session.tries; i++) request.tried_slots[i] = session.tried_slots[i];
  if (session.tries != 0 && session.tries == session.avoided) request.flags = kRequestAnew;
}

void UdpRelay::TakeResponse(UdpSession& session, const RouteResponse& response) {
  if (AccessTrace* trace = TraceOf(session)) AccessLog::Route(*trace, response.flags, now_us_);
  if (response.client != 0) counters_.LeaveClient(std::exchange(session.client_word, response.client));
  if (counters_.IsSlot(response.slot)) return Dial(session, response);
  const auto reason = static_cast<uint32_t>(-1 - response.slot);
  Reject(session, reason < kRejectReasons ? static_cast<RejectReason>(reason) : RejectReason::kNoBackend);
}

// The place at response.slot is reserved; from here on every end of the session gives it back.
void UdpRelay::Dial(UdpSession& session, const RouteResponse& response) {
  session.slot = static_cast<uint32_t>(response.slot);
  session.is_trial = (response.flags & kResponseTrial) != 0;
  session.rule = static_cast<uint16_t>(static_cast<uint32_t>(response.flags) >> kResponseRuleShift);
  if (AccessTrace* trace = TraceOf(session)) AccessLog::Dial(*trace, session.slot);
  PeerAddress to{};
  for (int i = 0; i < 4; i++) to.words[i] = response.address[i];
  to.port = static_cast<uint32_t>(response.port);
  // A Unix socket takes streams only.
  if (to.IsUnix()) return DialFailed(session, EPROTONOSUPPORT);
  session.fd = ConnectUdp(to);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = TokenOf(session);
  if (session.fd.is_open() && ::epoll_ctl(around_.epoll, EPOLL_CTL_ADD, session.fd.get(), &event) == 0) return Start(session);
  DialFailed(session, errno);
}

void UdpRelay::DialFailed(UdpSession& session, int error) {
  // Our lack, not the backend's failure; ENOSPC is epoll's limit of watches.
  if (IsOutOfResources(error) || error == ENOSPC) {
    LeaveBackend(session);
    return Reject(session, RejectReason::kNoDescriptors);
  }
  const BackendError kind = ErrorKind(error);
  counters_.CountBackendError(session.slot, kind);
  if (AccessTrace* trace = TraceOf(session)) trace->error = static_cast<uint8_t>(kind);
  if (kind != BackendError::kOther) breaker_.Failed(session.slot, session.is_trial);
  LeaveBackend(session);
  const auto failures = static_cast<uint32_t>(session.tries - session.avoided + 1);
  if (failures > around_.options.connect_retries || session.tries == kMaxTries) {
    return Reject(session, RejectReason::kConnectFailed);
  }
  session.tried_slots[session.tries++] = static_cast<uint16_t>(session.slot);
  waiting_.push_back(&session);
}

void UdpRelay::Start(UdpSession& session) {
  counters_.CountConnection(session.slot);
  session.phase = UdpPhase::kRelaying;
  session.started_ms = session.last_activity_ms = now_ms_;
  session.bytes_from_client = session.bytes_to_client = 0;
  if (AccessTrace* trace = TraceOf(session)) trace->connected_us = now_us_;
  wheel_.Schedule(session.timer, Deadline(session));
}

// What this pass has brought for the session, in order.
void UdpRelay::Forward(UdpSession& session) {
  if (session.phase != UdpPhase::kRelaying) {
    for (uint8_t place = session.first; place != UdpSession::kNone; place = next_[place]) {
      CountDropped(from_clients_.At(place).count());
    }
    session.first = UdpSession::kNone;
    return;
  }
  session.last_activity_ms = now_ms_;
  const Datagrams only = from_clients_.At(session.first);
  if (next_[session.first] != UdpSession::kNone || only.bytes > only.segment_bytes) return ForwardMany(session);
  session.first = UdpSession::kNone;
  const bool is_sent = ::send(session.fd.get(), only.data, only.bytes, MSG_DONTWAIT | MSG_NOSIGNAL) != -1;
  TakeSent(session, {0, is_sent ? only.bytes : 0, is_sent ? 1u : 0u, is_sent ? 0u : 1u, is_sent ? 0 : errno, false});
}

void UdpRelay::ForwardMany(UdpSession& session) {
  SendResult all;
  const auto flush = [&] {
    to_backend_.Flush(session.fd.get(), [&all](const SendResult& result) {
      all.bytes += result.bytes;
      all.sent += result.sent;
      all.dropped += result.dropped;
      if (result.error != 0) all.error = result.error;
      all.was_split |= result.was_split;
    });
  };
  const Receiver backend{0, nullptr, nullptr, session.has_gso_to_backend};
  for (uint8_t place = session.first; place != UdpSession::kNone; place = next_[place]) {
    to_backend_.AddAll(backend, from_clients_.At(place), flush);
  }
  flush();
  session.first = UdpSession::kNone;
  // As many answers are to come.
  session.single_reads = 0;
  if (all.was_split) session.has_gso_to_backend = false;
  TakeSent(session, all);
}

void UdpRelay::TakeSent(UdpSession& session, const SendResult& result) {
  if (result.sent != 0) {
    session.bytes_from_client += result.bytes;
    counters_.CountFromClient(session.slot, result.bytes);
    counters_.CountDatagramsFromClients(result.sent);
    if (AccessTrace* trace = TraceOf(session)) trace->datagrams_from_client += result.sent;
  }
  if (result.dropped == 0) return;
  CountDropped(result.dropped);
  if (IsBackendGone(result.error)) FailSession(session, result.error);
}

}  // namespace edgeproxy
