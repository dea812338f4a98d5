// What the relay learns of a client before it asks route(): where it has come to, and its ClientHello, where a rule wants to
// know (LISTENER_FLAG).
//
// Peeked at, never read: the bytes stay in the socket, for the backend, and for another peek when a retry needs them again
// (but for those that a dead connection of the pool has had read).
// Most ClientHellos are there when the client is accepted; that costs one recv(2) and saves asking how much is in hand.
//
// For the others route() is asked twice: at first only whether the client is let in, so that limits and lists hold for who
// sends nothing, then where it goes. In between it waits for an edge. So that one who sends byte after byte is not
// read as often, SO_RCVLOWAT lets the kernel wait for as many as are missing at the least: for a ClientHello in one record
// there are at most three looks, for one in records of a byte each about fifty.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

#include "client_hello.h"
#include "relay.h"

namespace edgeproxy {

namespace {
// More looks than any order of records takes; only a kernel short of memory tells of bytes before the low-water mark.
constexpr uint8_t kMaxPeeks = 64;

void SetLowWater(int socket, uint32_t bytes) {
  const int value = static_cast<int>(bytes);
  ::setsockopt(socket, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof value);
}
}  // namespace

// Returns whether route() is to be asked; if not, the client waits on, or is gone.
bool Relay::Describe(Connection& connection, RouteRequest& request, unsigned char* names) {
  const ListenerSettings& listener = options_.listeners.Get(connection.listener);
  if (listener.Has(kListenerDestination)) FillDestination(connection, request);
  if (listener.Has(kListenerHello) && !connection.is_hello_over && !PeekAtHello(connection, request, names)) return false;
  if (connection.is_admitted) request.flags |= kRequestAdmitted;
  if (connection.has_low_water) {
    SetLowWater(connection.client.fd.get(), 1);
    connection.has_low_water = false;
  }
  return true;
}

void Relay::FillDestination(const Connection& connection, RouteRequest& request) {
  sockaddr_storage own;
  socklen_t length = sizeof own;
  if (::getsockname(connection.client.fd.get(), reinterpret_cast<sockaddr*>(&own), &length) == -1) return;
  const PeerAddress address = PeerAddress::FromSockaddr(own);
  for (int i = 0; i < 4; i++) request.destination[i] = address.words[i];
}

bool Relay::PeekAtHello(Connection& connection, RouteRequest& request, unsigned char* names) {
  unsigned char bytes[kHelloWindowBytes];
  // Read already where a connection opened ahead was found dead with them (Redial).
  const size_t held = connection.upload.CopyPending(bytes, sizeof bytes);
  const ssize_t got = ::recv(connection.client.fd.get(), bytes + held, sizeof bytes - held, MSG_PEEK);
  if (got == -1 && errno != EAGAIN && errno != EINTR) {
    Reject(connection, RejectReason::kClientGone);
    return false;
  }
  if (got > 0) connection.client.is_readable = connection.has_first_bytes = true;
  const ClientHello hello = ReadClientHello(bytes, held + (got > 0 ? static_cast<size_t>(got) : 0), names);
  if (hello.state == HelloState::kIncomplete) {
    const bool has_ended = got == 0 || connection.client.has_hung_up;
    if (!has_ended && connection.tries == 0) return AwaitHello(connection, request, hello.needed_bytes);
    connection.is_hello_over = true;
  } else if (hello.state == HelloState::kComplete) {
    request.flags = kRequestTls;
    request.name_length = static_cast<int32_t>(hello.name_length);
    request.alpn_length = static_cast<int32_t>(hello.alpn_length);
    request.session = static_cast<int32_t>(hello.session);
    connection.server_name.assign(reinterpret_cast<const char*>(names), hello.name_length);
  }
  return true;
}

// Returns as Describe.
bool Relay::AwaitHello(Connection& connection, RouteRequest& request, uint32_t needed_bytes) {
  if (!connection.is_admitted) {
    request.flags = kRequestAdmit;
    return true;
  }
  if (++connection.peeks == kMaxPeeks) {
    connection.is_hello_over = true;
    return true;
  }
  connection.phase = Phase::kPeeking;
  // Who has sent nothing yet will most often send all of it at once.
  if (connection.has_first_bytes) {
    SetLowWater(connection.client.fd.get(), needed_bytes);
    connection.has_low_water = true;
  }
  return false;
}

// It was let in. Watching its socket tells at once of what has come since it was looked at.
void Relay::StartPeeking(Connection& connection) {
  connection.is_admitted = true;
  connection.phase = Phase::kPeeking;
  connection.last_activity_ms = now_ms_;
  if (WatchClient(connection) != 0) {
    PauseListening();
    return Reject(connection, RejectReason::kNoDescriptors);
  }
  Reschedule(connection);
}

void Relay::OnPeekEvent(Connection& connection, uint32_t events) {
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) return Reject(connection, RejectReason::kClientGone);
  // That it can be written to is no news.
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLPRI)) != 0) StopPeeking(connection);
}

// Looked at again before the pass ends, and routed if that is all there will be.
void Relay::StopPeeking(Connection& connection) {
  connection.phase = Phase::kRouting;
  waiting_.push_back(TokenOf(connection, Side::kClient));
}

uint64_t Relay::PeekDeadline(const Connection& connection) const {
  const uint64_t timeout_ms = options_.listeners.Get(connection.listener).hello_timeout_ms;
  return timeout_ms == 0 ? kNever : connection.last_activity_ms + timeout_ms;
}

}  // namespace edgeproxy
