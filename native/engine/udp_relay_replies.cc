// From backends to clients.
#include <sys/epoll.h>

#include <cerrno>

#include "backend_socket.h"
#include "udp_relay.h"

namespace edgeproxy {

namespace {
constexpr uint32_t kRepliesPerRead = 16;
// Of one session; epoll tells of it again where that was not all.
constexpr uint32_t kReadsPerTurn = 4;
// So many reads in a row that bring one datagram, none of them in the pass after another, show a client of one question at a time.
constexpr uint8_t kSingleReads = 4;
}  // namespace

void UdpRelay::OnSessionEvent(UdpSession& session, uint32_t events) {
  // What the backend has said before it failed is still for the client; taking the error first lets it be read.
  const int error = (events & (EPOLLERR | EPOLLHUP)) == 0 ? 0 : PendingError(session.fd.get());
  // Of a client that asks and waits there is never a second one. To look for it costs 0.29 µs, and epoll looks for 0.09.
  if (session.read_in_pass + 1 == pass_) session.single_reads = 0;
  session.read_in_pass = pass_;
  const bool is_single = session.single_reads == kSingleReads && !session.is_busy;
  const bool is_alive = is_single ? ReadUpTo(session, 1) != kGone : ReadReplies(session);
  if (is_alive && IsBackendGone(error)) FailSession(session, error);
}

// Until there are none left, or a turn is over. Returns whether the session is still there.
bool UdpRelay::ReadReplies(UdpSession& session) {
  for (uint32_t i = 0; i < kReadsPerTurn; i++) {
    const int count = ReadUpTo(session, kRepliesPerRead);
    if (count == kGone) return false;
    if (count > 1) {
      session.single_reads = 0;
    } else if (session.single_reads < kSingleReads) {
      session.single_reads++;
    }
    if (count < static_cast<int>(kRepliesPerRead)) return true;
    if (!session.is_busy) ExpectMuch(session.fd.get(), offloads_.has_gro);
    session.is_busy = true;
  }
  return true;
}

// Returns how many there were, or kGone where the session has ended over it.
int UdpRelay::ReadUpTo(UdpSession& session, uint32_t most) {
  if (DatagramReader::kMost - used_replies_ < most) FlushReplies();
  const int socket = session.fd.get();
  const int count = most == 1 ? from_backends_.ReadPlain(socket, used_replies_) : from_backends_.Read(socket, used_replies_, most);
  if (count == -1) {
    if (!IsBackendGone(errno)) return 0;
    FailSession(session, errno);
    return kGone;
  }
  TakeAnswer(session);
  for (int i = 0; i < count; i++) {
    const uint32_t place = used_replies_++;
    if (from_backends_.IsCutOff(place)) {
      CountDropped(1);
    } else {
      AddReply(session, from_backends_.At(place));
    }
  }
  return count;
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
      if (AccessTrace* trace = TraceOf(session)) trace->datagrams_to_client += result.sent;
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
