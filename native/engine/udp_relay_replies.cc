// From backends to clients.
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

#include "backend_socket.h"
#include "udp_relay.h"

namespace edgeproxy {

namespace {
constexpr uint32_t kRepliesPerRead = 16;
constexpr uint32_t kReadsPerTurn = 4;
// Fewer places are not worth a read: what is gathered is sent first.
constexpr uint32_t kLeastPlaces = 8;
}  // namespace

void UdpRelay::OnSessionEvent(UdpSession& session, uint32_t events) {
  // What the backend has said before it failed is still for the client; taking the error first lets it be read.
  const int error = (events & (EPOLLERR | EPOLLHUP)) == 0 ? 0 : PendingError(session.fd.get());
  const bool is_alive = ReadReplies(session);
  if (is_alive && IsBackendGone(error)) FailSession(session, error);
}

// Until there are none left, or a turn is over. Returns whether the session is still there.
bool UdpRelay::ReadReplies(UdpSession& session) {
  for (uint32_t i = 0; i < kReadsPerTurn; i++) {
    if (DatagramReader::kMost - used_replies_ < kLeastPlaces) FlushReplies();
    const uint32_t most = std::min(kRepliesPerRead, DatagramReader::kMost - used_replies_);
    const int count = from_backends_.Read(session.fd.get(), used_replies_, most);
    if (count == -1) {
      if (errno == EAGAIN) return true;
      if (!IsBackendGone(errno)) continue;
      FailSession(session, errno);
      return false;
    }
    TakeAnswer(session);
    for (int j = 0; j < count; j++) {
      const uint32_t place = used_replies_++;
      if (from_backends_.IsCutOff(place)) {
        CountDropped(1);
      } else {
        AddReply(session, from_backends_.At(place));
      }
    }
    if (static_cast<uint32_t>(count) < most) return true;
    if (!session.is_busy) ExpectMuch(session.fd.get(), offloads_.has_gro);
    session.is_busy = true;
  }
  if (!session.is_queued) queued_.push_back(TokenOf(session));
  session.is_queued = true;
  return true;
}

void UdpRelay::TakeAnswer(UdpSession& session) {
  has_moved_ = true;
  session.last_activity_ms = now_ms_;
  if (session.has_answered) return;
  session.has_answered = true;
  breaker_.Succeeded(session.slot, session.is_trial);
}

void UdpRelay::AddReply(UdpSession& session, const Datagrams& datagrams) {
  const Listener& listener = listeners_[session.position];
  if (reply_socket_ != listener.fd.get()) SendReplies();
  reply_socket_ = listener.fd.get();
  const Receiver client{session.index, &session.name, listener.is_wildcard ? session.key.local : nullptr,
                        session.has_gso_to_client};
  to_clients_.AddAll(client, datagrams, [this] { SendReplies(); });
}

// All of them belong to sessions that are there: LeaveBackend calls this first.
void UdpRelay::SendReplies() {
  to_clients_.Flush(reply_socket_, [this](const SendResult& result) {
    UdpSession& session = table_[result.tag];
    if (result.sent != 0) {
      session.bytes_to_client += result.bytes;
      counters_.CountToClient(session.slot, result.bytes);
      counters_.CountDatagramsToClients(result.sent);
    }
    if (result.dropped != 0) CountDropped(result.dropped);
    if (result.was_split) session.has_gso_to_client = false;
  });
}

void UdpRelay::FlushReplies() {
  SendReplies();
  used_replies_ = 0;
}

}  // namespace edgeproxy
