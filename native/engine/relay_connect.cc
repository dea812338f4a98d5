// The relay's way from a client to its backend: ask route(), connect, try the next one where that fails.
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>

#include "relay.h"

namespace edgeproxy {

namespace {
BackendError ErrorKind(int error) {
  switch (error) {
    case ECONNREFUSED:
      return BackendError::kRefused;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
      return BackendError::kUnreachable;
    case ETIMEDOUT:
      return BackendError::kTimeout;
    case ECONNRESET:
      return BackendError::kReset;
    default:
      return BackendError::kOther;
  }
}

int PendingError(int socket) {
  int error = 0;
  socklen_t length = sizeof error;
  return ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) == -1 ? errno : error;
}

void SetTcpOption(int socket, int option, int value) { ::setsockopt(socket, IPPROTO_TCP, option, &value, sizeof value); }

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
      if (const Connection* connection = Find(token)) {
        FillRequest(requests_[turn_.size()], *connection);
        turn_.push_back(token);
      }
    }
    if (turn_.empty()) break;
    host_.OnBatch(static_cast<uint32_t>(turn_.size()), static_cast<uint32_t>(now_ms_ / 1000));
    for (size_t i = 0; i < turn_.size(); i++) TakeResponse(*Find(turn_[i]), responses_[i]);
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
  for (uint8_t i = 0; i < connection.tries; i++) request.tried_slots[i] = connection.tried_slots[i];
}

void Relay::TakeResponse(Connection& connection, const RouteResponse& response) {
  if (counters_.IsSlot(response.slot)) return Dial(connection, response);
  const auto reason = static_cast<uint32_t>(-1 - response.slot);
  Reject(connection, reason < kRejectReasons ? static_cast<RejectReason>(reason) : RejectReason::kNoBackend);
}

// The place at response.slot is reserved; from here on every end of the connection gives it back.
void Relay::Dial(Connection& connection, const RouteResponse& response) {
  connection.slot = static_cast<uint32_t>(response.slot);
  connection.phase = Phase::kConnecting;
  connection.last_activity_ms = now_ms_;
  if (connection.tries == 0) connection.started_ms = now_ms_;

  const int error = StartConnect(connection, response);
  // Our lack, not the backend's failure; ENOSPC is epoll's limit of watches.
  if (IsOutOfResources(error) || error == ENOSPC) {
    PauseListening();
    return Reject(connection, RejectReason::kNoDescriptors);
  }
  if (error != 0) return ConnectFailed(connection, error);
  if (options_.connect_timeout_ms != 0) wheel_.Schedule(connection.timer, Deadline(connection));
}

int Relay::StartConnect(Connection& connection, const RouteResponse& response) {
  PeerAddress address{};
  for (int i = 0; i < 4; i++) address.words[i] = response.address[i];
  address.port = static_cast<uint32_t>(response.port);
  sockaddr_storage to;
  const socklen_t length = address.ToSockaddr(to);

  const int client = connection.client.fd.get();
  UniqueFd& backend = connection.backend.fd;
  backend.Reset(::socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!backend.is_open()) return errno;
  SetTcpOption(backend.get(), TCP_NODELAY, 1);
  // With the client's first bytes in hand, the ACK of the backend's SYN-ACK travels with them: one packet less. Without
  // them it must not wait, for the backend may be the one to speak first. The same on the accepted socket brought nothing
  // (its first bytes are acknowledged by then) and could delay a client that writes again before it reads.
  if (HasBytesInHand(client)) {
    connection.client.is_readable = true;
    SetTcpOption(backend.get(), TCP_QUICKACK, 0);
    connection.is_ack_delayed = true;
  }
  if (::connect(backend.get(), reinterpret_cast<sockaddr*>(&to), length) == -1 && errno != EINPROGRESS) return errno;
  if (!connection.is_client_watched) {
    const int error = Watch(client, TokenOf(connection, Side::kClient), kEndpointEvents);
    if (error != 0) return error;
    connection.is_client_watched = true;
  }
  return Watch(backend.get(), TokenOf(connection, Side::kBackend), kEndpointEvents);
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
    const int error = PendingError(connection.backend.fd.get());
    return ConnectFailed(connection, error == 0 ? ECONNRESET : error);
  }
  if ((events & EPOLLOUT) == 0) return;
  counters_.CountConnection(connection.slot);
  connection.phase = Phase::kRelaying;
  connection.last_activity_ms = now_ms_;
  connection.client.is_writable = true;
  wheel_.Schedule(connection.timer, Deadline(connection));
  PumpBoth(connection);
}

// Gives the place back and lets route() choose again, among the backends not yet tried.
void Relay::ConnectFailed(Connection& connection, int error) {
  counters_.CountBackendError(connection.slot, ErrorKind(error));
  counters_.ReleasePlace(connection.slot);
  connection.phase = Phase::kRouting;
  connection.backend = Endpoint{};
  wheel_.Cancel(connection.timer);
  connection.tried_slots[connection.tries++] = static_cast<uint16_t>(connection.slot);
  if (connection.tries > options_.connect_retries) return Reject(connection, RejectReason::kConnectFailed);
  waiting_.push_back(TokenOf(connection, Side::kClient));
}

}  // namespace edgeproxy
