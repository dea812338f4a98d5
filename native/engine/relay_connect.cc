// The relay's way from a client to its backend: ask route(), connect, try the next one where that fails.
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "backend_socket.h"
#include "monotonic_us.h"
#include "relay.h"

namespace edgeproxy {

namespace {
// How often a backend whose queue is full is asked again, rarer the longer a client has waited.
constexpr uint64_t kShortestQueueWaitMs = 16;
constexpr uint64_t kLongestQueueWaitMs = 250;

bool HasBytesInHand(int socket) {
  int bytes = 0;
  return ::ioctl(socket, SIOCINQ, &bytes) == 0 && bytes > 0;
}
}  // namespace

// Returns whether any backend was dialled. A connect that fails at once waits for route() again, at most
// connect_retries times, so this ends.
bool Relay::RouteWaiting() {
  bool has_dialled = false;
  while (!waiting_.empty()) {
    turn_.clear();
    while (!waiting_.empty() && turn_.size() < kBatchCapacity) {
      const uint64_t token = waiting_.back();
      waiting_.pop_back();
      Connection* connection = Find(token);
      if (connection == nullptr) continue;
      const size_t place = turn_.size();
      FillRequest(batch_.requests[place], *connection);
      if (Describe(*connection, batch_.requests[place], batch_.names + place * kNameBytes)) turn_.push_back(token);
    }
    if (turn_.empty()) break;
    const uint64_t asked_ns = MonotonicNs();
    host_.OnBatch(static_cast<uint32_t>(turn_.size()), ClockOfBatch());
    counters_.CountDecisions(turn_.size(), MonotonicNs() - asked_ns);
    for (size_t i = 0; i < turn_.size(); i++) TakeResponse(*Find(turn_[i]), batch_.responses[i]);
    has_dialled = true;
  }
  turn_.clear();
  return has_dialled;
}

void Relay::FillRequest(RouteRequest& request, const Connection& connection) {
  request.listener = static_cast<int32_t>(connection.listener);
  request.port = static_cast<int32_t>(connection.peer.port);
  for (int i = 0; i < 4; i++) request.address[i] = connection.peer.words[i];
  request.tries = connection.tries;
  request.flags = request.name_length = request.alpn_length = request.session = 0;
  for (uint32_t& word : request.destination) word = 0;
  for (uint8_t i = 0; i < connection.tries; i++) request.tried_slots[i] = connection.tried_slots[i];
}

void Relay::TakeResponse(Connection& connection, const RouteResponse& response) {
  if (AccessTrace* trace = access_.connections.Find(connection.index); trace != nullptr && response.slot != kSlotAdmitted) {
    AccessLog::Route(*trace, response.flags, now_us_);
  }
  // Of every answer, also of a refusal: from here on every end of the connection gives it back.
  if (response.client != 0) counters_.LeaveClient(std::exchange(connection.client_word, response.client));
  if (counters_.IsSlot(response.slot)) return Dial(connection, response);
  if (response.slot == kSlotAdmitted && !connection.is_admitted) return StartPeeking(connection);
  const auto reason = static_cast<uint32_t>(-1 - response.slot);
  Reject(connection, reason < kRejectReasons ? static_cast<RejectReason>(reason) : RejectReason::kNoBackend);
}

// The place at response.slot is reserved; from here on every end of the connection gives it back.
void Relay::Dial(Connection& connection, const RouteResponse& response) {
  connection.slot = static_cast<uint32_t>(response.slot);
  connection.is_trial = (response.flags & kResponseTrial) != 0;
  connection.rule = static_cast<uint16_t>(static_cast<uint32_t>(response.flags) >> kResponseRuleShift);
  connection.has_answered = false;
  if (connection.tries == 0) connection.started_ms = now_ms_;
  if (AccessTrace* trace = access_.connections.Find(connection.index)) AccessLog::Dial(*trace, connection.slot);
  PeerAddress to{};
  for (int i = 0; i < 4; i++) to.words[i] = response.address[i];
  to.port = static_cast<uint32_t>(response.port);
  // A trial is to find out whether the backend can be connected to.
  if (connection.is_trial || !UseWarm(connection, to)) Connect(connection, to);
}

// Returns whether one was there.
bool Relay::UseWarm(Connection& connection, const PeerAddress& to) {
  WarmPool::Taken warm = warm_.Take(connection.slot, to, now_ms_);
  if (!warm.fd.is_open()) return false;
  const int backend = warm.fd.get();
  connection.backend.fd = std::move(warm.fd);
  if (WatchClient(connection) != 0 || Watch(backend, TokenOf(connection, Side::kBackend), kEndpointEvents, true) != 0) {
    connection.backend = Endpoint{};
    return false;
  }
  connection.backend.TakeEvents(warm.events);
  // The first bytes may be there already: a read tells.
  connection.client.is_readable = true;
  connection.is_replaceable = true;
  StartRelaying(connection);
  return true;
}

void Relay::Connect(Connection& connection, const PeerAddress& to) {
  connection.phase = Phase::kConnecting;
  connection.last_activity_ms = now_ms_;
  connection.dialled_us = now_us_;
  Attempt(connection, to);
}

void Relay::Attempt(Connection& connection, const PeerAddress& to) {
  const int error = StartConnect(connection, to);
  if (error == EAGAIN && to.IsUnix()) return WaitForQueue(connection);
  // Our lack, not the backend's failure; ENOSPC is epoll's limit of watches.
  if (IsOutOfResources(error) || error == ENOSPC) {
    PauseListening();
    return Reject(connection, RejectReason::kNoDescriptors);
  }
  if (error != 0) return ConnectFailed(connection, error);
  Reschedule(connection);
}

// The queue of a Unix socket is full, which is an error there and not a packet that is sent again: that is done here, until
// connecting has taken too long. Meanwhile the connection has no socket of a backend.
void Relay::WaitForQueue(Connection& connection) {
  connection.backend = Endpoint{};
  if (WatchClient(connection) != 0) return Reject(connection, RejectReason::kNoDescriptors);
  Reschedule(connection);
}

uint64_t Relay::QueueWaitMs(const Connection& connection) const {
  return std::clamp(now_ms_ - connection.last_activity_ms, kShortestQueueWaitMs, kLongestQueueWaitMs);
}

// By where the routing table in force leads: the connection holds its place, so the slot has the same backend.
void Relay::AskQueueAgain(Connection& connection) {
  const PeerAddress to = counters_.TargetOf(connection.slot);
  if (!to.IsUnix()) return Move(connection);
  Attempt(connection, to);
}

int Relay::StartConnect(Connection& connection, const PeerAddress& to) {
  UniqueFd& backend = connection.backend.fd;
  backend = MakeBackendSocket(to);
  if (!backend.is_open()) return errno;
  // With the client's first bytes in hand, the ACK of the backend's SYN-ACK travels with them: one packet less. Without
  // them it must not wait, for the backend may be the one to speak first. The same on the accepted socket brought nothing
  // (its first bytes are acknowledged by then) and could delay a client that writes again before it reads.
  if (connection.has_first_bytes || HasBytesInHand(connection.client.fd.get())) {
    connection.client.is_readable = true;
    connection.is_ack_delayed = !to.IsUnix();
    if (connection.is_ack_delayed) SetTcpOption(backend.get(), TCP_QUICKACK, 0);
  }
  int error = BeginConnect(backend.get(), to, region_);
  if (error == 0) error = WatchClient(connection);
  return error != 0 ? error : Watch(backend.get(), TokenOf(connection, Side::kBackend), kEndpointEvents);
}

// Once, whatever becomes of its backends.
int Relay::WatchClient(Connection& connection) {
  if (connection.is_client_watched) return 0;
  const int error = Watch(connection.client.fd.get(), TokenOf(connection, Side::kClient), kEndpointEvents);
  connection.is_client_watched = error == 0;
  return error;
}

// The first bytes have carried the ACK. From here on a delay would hold up a backend that writes its answer in two pieces
// with Nagle's algorithm on: 40 ms for the second one.
void Relay::StopDelayingAck(Connection& connection) {
  connection.is_ack_delayed = false;
  SetTcpOption(connection.backend.fd.get(), TCP_QUICKACK, 1);
}

void Relay::OnConnectEvent(Connection& connection, Side side, uint32_t events) {
  if (side == Side::kClient) {
    // A client that only half-closes still waits for its answer; one that reset is gone.
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) Reject(connection, RejectReason::kClientGone);
    return;
  }
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
    const int backend = connection.backend.fd.get();
    const int error = PendingError(backend);
    // A Unix socket whose other end was closed has hung up, also where there is an answer to read.
    if (error != 0 || !IsUnixSocket(backend)) return ConnectFailed(connection, error == 0 ? ECONNRESET : error);
  }
  if ((events & EPOLLOUT) == 0) return;
  counters_.CountConnectTime(connection.slot, now_us_ - connection.dialled_us);
  StartRelaying(connection);
}

void Relay::StartRelaying(Connection& connection) {
  if (!connection.is_counted) counters_.CountConnection(connection.slot);
  connection.is_counted = true;
  connection.phase = Phase::kRelaying;
  connection.last_activity_ms = now_ms_;
  connection.client.is_writable = true;
  if (AccessTrace* trace = access_.connections.Find(connection.index)) trace->connected_us = now_us_;
  wheel_.Schedule(connection.timer, Deadline(connection));
  PumpBoth(connection);
}

// The backend's socket was opened ahead and is dead, and nothing was sent over it: the client gets one of its own, with
// the bytes that the dead one did not take. Not another warm one, so that this happens once.
void Relay::Redial(Connection& connection) {
  connection.is_replaceable = false;
  connection.is_redialled = !connection.is_redialled;
  warm_.DiedTaken(connection.slot, connection.started_ms, now_ms_);
  // Nothing was relayed yet, and a client may have waited longer than connecting may take in all.
  connection.started_ms = now_ms_;
  connection.download.Reset(pump_);
  connection.backend = Endpoint{};
  wheel_.Cancel(connection.timer);
  Connect(connection, warm_.AddressOf(connection.slot));
}

void Relay::ConnectFailed(Connection& connection, int error) {
  const BackendError kind = ErrorKind(error);
  counters_.CountBackendError(connection.slot, kind);
  if (AccessTrace* trace = access_.connections.Find(connection.index)) trace->error = static_cast<uint8_t>(kind);
  // An error of our own (no port left, a local firewall) is no failure of the backend.
  if (kind != BackendError::kOther && !WasCutShort(connection)) breaker_.Failed(connection.slot, connection.is_trial);
  TryNext(connection);
}

// Whether the tries before this one took so much of the total time that it had not even half of what a connect may take.
bool Relay::WasCutShort(const Connection& connection) const {
  if (connection.tries == 0 || !IsTotalTimeOver(connection)) return false;
  const uint64_t half_ms = SettingsOf(connection).connect_timeout_ms / 2;
  return half_ms == 0 || now_ms_ < connection.last_activity_ms + half_ms;
}

uint64_t Relay::ConnectDeadline(const Connection& connection) const {
  uint64_t deadline = kNever;
  const ListenerSettings& settings = SettingsOf(connection);
  if (settings.connect_timeout_ms != 0) deadline = connection.last_activity_ms + settings.connect_timeout_ms;
  if (settings.connect_total_timeout_ms == 0) return deadline;
  return std::min(deadline, connection.started_ms + settings.connect_total_timeout_ms);
}

bool Relay::IsTotalTimeOver(const Connection& connection) const {
  const uint64_t total_ms = SettingsOf(connection).connect_total_timeout_ms;
  return total_ms != 0 && now_ms_ >= connection.started_ms + total_ms;
}

// Lets route() choose again, among the backends not yet tried.
void Relay::TryNext(Connection& connection) {
  LeaveBackend(connection);
  const auto failures = static_cast<uint32_t>(connection.tries - connection.moves);
  if (failures > options_.connect_retries || IsTotalTimeOver(connection) || connection.tries == kMaxTries) {
    return Reject(connection, RejectReason::kConnectFailed);
  }
  waiting_.push_back(TokenOf(connection, Side::kClient));
}

// The same where its backend is taken from it: that is no failed try.
void Relay::Move(Connection& connection) {
  // Nothing was relayed yet, and its client may have waited longer than connecting may take in all.
  if (connection.is_replaceable) connection.started_ms = now_ms_;
  LeaveBackend(connection);
  connection.moves++;
  if (connection.tries == kMaxTries) return Reject(connection, RejectReason::kConnectFailed);
  waiting_.push_back(TokenOf(connection, Side::kClient));
}

// Gives the place back.
void Relay::LeaveBackend(Connection& connection) {
  counters_.ReleasePlace(connection.slot);
  connection.phase = Phase::kRouting;
  connection.backend = Endpoint{};
  connection.is_counted = connection.is_replaceable = false;
  wheel_.Cancel(connection.timer);
  connection.tried_slots[connection.tries++] = static_cast<uint16_t>(connection.slot);
}

}  // namespace edgeproxy
