// Which connections the relay has, and the end of those that somebody wants ended.
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "relay.h"
#include "udp_relay.h"

namespace edgeproxy {

namespace {
// A filter that few pass would have a page walk over everything: about half a millisecond's work.
constexpr uint32_t kMostLookedAt = 4096;
// Each end closes two sockets.
constexpr uint32_t kMostKilled = 64;

ConnectionState StateOf(const Connection& connection) {
  switch (connection.phase) {
    case Phase::kPeeking:
      return ConnectionState::kAwaitingHello;
    case Phase::kConnecting:
      return ConnectionState::kConnecting;
    case Phase::kRelaying:
      if (connection.upload.is_finished()) return ConnectionState::kClientFinished;
      return connection.download.is_finished() ? ConnectionState::kBackendFinished : ConnectionState::kRelaying;
    default:
      return ConnectionState::kRouting;
  }
}

void PutAddress(const PeerAddress& address, double& port, double (&words)[4]) {
  port = address.port;
  for (int i = 0; i < 4; i++) words[i] = address.words[i];
}

// Where it leads; the kernel knows, whatever the routing table says by now. Of a Unix socket the port alone.
void PutBackend(int socket, ConnectionRecord& record) {
  sockaddr_storage to{};
  socklen_t length = sizeof to;
  if (socket == -1 || ::getpeername(socket, reinterpret_cast<sockaddr*>(&to), &length) == -1) return;
  PeerAddress address = PeerAddress::FromSockaddr(to);
  if (to.ss_family == AF_UNIX) address.port = kUnixPort;
  PutAddress(address, record.backend_port, record.backend_address);
}

double Elapsed(uint64_t since_ms, uint64_t now_ms) { return since_ms < now_ms ? static_cast<double>(now_ms - since_ms) : 0; }

void Tell(const Connection& connection, uint64_t now_ms, ConnectionRecord& record, unsigned char* name) {
  record = ConnectionRecord{};
  record.index = connection.index;
  record.generation = connection.generation;
  record.state = static_cast<double>(StateOf(connection));
  record.listener = connection.listener;
  record.slot = connection.holds_place() ? connection.slot : -1;
  PutAddress(connection.peer, record.client_port, record.client_address);
  PutBackend(connection.backend.fd.get(), record);
  record.age_ms = Elapsed(connection.accepted_ms, now_ms);
  record.idle_ms = Elapsed(std::max(connection.accepted_ms, connection.last_activity_ms), now_ms);
  record.bytes_from_client = static_cast<double>(connection.bytes_from_client);
  record.bytes_to_client = static_cast<double>(connection.bytes_to_client);
  record.rule = connection.rule;
  record.name_length = static_cast<double>(connection.server_name.size());
  std::memcpy(name, connection.server_name.data(), connection.server_name.size());
}

void Tell(const UdpSession& session, uint64_t now_ms, ConnectionRecord& record) {
  record = ConnectionRecord{};
  record.is_udp = 1;
  record.index = session.index;
  record.generation = session.generation;
  record.state = static_cast<double>(ConnectionState::kRelaying);
  record.listener = session.key.listener;
  record.slot = session.slot;
  PutAddress(session.key.client, record.client_port, record.client_address);
  PutBackend(session.fd.get(), record);
  record.age_ms = Elapsed(session.started_ms, now_ms);
  record.idle_ms = Elapsed(session.last_activity_ms, now_ms);
  record.bytes_from_client = static_cast<double>(session.bytes_from_client);
  record.bytes_to_client = static_cast<double>(session.bytes_to_client);
  record.rule = session.rule;
}
}  // namespace

// Visits those that are wanted from `from` on, at most `most`; a visitor may end the one that it is shown.
template <typename OnConnection, typename OnSession>
ConnectionPage Relay::Walk(const ConnectionFilter& filter, uint64_t from, uint32_t most, OnConnection on_connection,
                           OnSession on_session) {
  constexpr uint64_t kUdpFrom = ConnectionPage::kUdpFrom;
  ConnectionPage page{0, from};
  uint32_t looked_at = 0;
  const auto is_over = [&] { return page.count == most || looked_at++ == kMostLookedAt; };
  for (; page.next < slab_.size(); page.next++) {
    if (is_over()) return page;
    Connection& connection = slab_[static_cast<uint32_t>(page.next)];
    if (connection.phase == Phase::kFree) continue;
    const int64_t place = connection.holds_place() ? int64_t{connection.slot} : ConnectionFilter::kAny;
    if (filter.Wants(place, connection.listener, connection.peer)) on_connection(connection, page.count++);
  }
  const uint64_t sessions = udp_ ? udp_->sessions().size() : 0;
  for (page.next = std::max(page.next, kUdpFrom); page.next - kUdpFrom < sessions; page.next++) {
    if (is_over()) return page;
    UdpSession& session = udp_->sessions()[static_cast<uint32_t>(page.next - kUdpFrom)];
    if (session.phase != UdpPhase::kRelaying) continue;
    if (filter.Wants(session.slot, session.key.listener, session.key.client)) on_session(session, page.count++);
  }
  page.next = ConnectionPage::kEnd;
  return page;
}

ConnectionPage Relay::List(const ConnectionFilter& filter, uint64_t from, uint32_t most, const ConnectionRecords& to) {
  ReadClock();
  return Walk(
      filter, from, std::min(most, kMostListed),
      [&](const Connection& connection, uint32_t place) {
        Tell(connection, now_ms_, to.records[place], to.names + place * kRecordNameBytes);
      },
      [&](const UdpSession& session, uint32_t place) { Tell(session, now_ms_, to.records[place]); });
}

ConnectionPage Relay::KillMany(const ConnectionFilter& filter, uint64_t from, uint32_t most) {
  if (!epoll_.is_open()) return {0, ConnectionPage::kEnd};
  ReadClock();
  const ConnectionPage page = Walk(
      filter, from, std::min(most, kMostKilled), [this](Connection& connection, uint32_t) { KillNow(connection); },
      [this](UdpSession& session, uint32_t) { udp_->Kill(session); });
  Conclude();
  return page;
}

bool Relay::Kill(const ConnectionId& id) {
  if (!epoll_.is_open()) return false;
  ReadClock();
  if (id.is_udp) {
    if (!udp_ || id.index >= udp_->sessions().size()) return false;
    UdpSession& session = udp_->sessions()[id.index];
    if (session.phase != UdpPhase::kRelaying || session.generation != id.generation) return false;
    udp_->Kill(session);
  } else {
    if (id.index >= slab_.size()) return false;
    Connection& connection = slab_[id.index];
    if (connection.phase == Phase::kFree || connection.generation != id.generation) return false;
    KillNow(connection);
  }
  Conclude();
  return true;
}

// What was relayed has ended; of what was not, a client was turned away.
void Relay::KillNow(Connection& connection) {
  if (connection.phase == Phase::kRelaying) {
    End(connection, EndReason::kKilled);
  } else {
    Reject(connection, RejectReason::kKilled);
  }
}

}  // namespace edgeproxy
