// How the relay's connections end: when their time is over, when their backend is taken away, and what is left to tell.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "relay.h"
#include "reset_on_close.h"
#include "udp_relay.h"

namespace edgeproxy {

uint64_t Relay::Deadline(const Connection& connection) const {
  if (connection.phase == Phase::kPeeking) return PeekDeadline(connection);
  if (connection.phase != Phase::kRelaying) return ConnectDeadline(connection);
  const ListenerSettings& settings = SettingsOf(connection);
  uint64_t quiet_ms = settings.idle_timeout_ms;
  if (connection.IsHalfClosed() && settings.half_close_timeout_ms != 0 &&
      (quiet_ms == 0 || settings.half_close_timeout_ms < quiet_ms)) {
    quiet_ms = settings.half_close_timeout_ms;
  }
  const uint64_t deadline = quiet_ms == 0 ? kNever : connection.last_activity_ms + quiet_ms;
  return std::min(deadline, EndOfLife(connection));
}

uint64_t Relay::EndOfLife(const Connection& connection) const {
  const uint64_t most_ms = SettingsOf(connection).max_lifetime_ms;
  return most_ms == 0 ? kNever : connection.started_ms + most_ms;
}

void Relay::Reschedule(Connection& connection) {
  uint64_t deadline = Deadline(connection);
  if (connection.IsInQueue()) deadline = std::min(deadline, now_ms_ + QueueWaitMs(connection));
  if (deadline == kNever) return wheel_.Cancel(connection.timer);
  wheel_.Schedule(connection.timer, deadline);
}

void Relay::OnTimer(Connection& connection) {
  if (Deadline(connection) > now_ms_) {
    if (connection.IsInQueue()) return AskQueueAgain(connection);
    wheel_.Schedule(connection.timer, Deadline(connection));
  } else if (connection.phase == Phase::kPeeking) {
    connection.is_hello_over = true;
    StopPeeking(connection);
  } else if (connection.phase == Phase::kConnecting) {
    ConnectFailed(connection, ETIMEDOUT);
  } else if (EndOfLife(connection) <= now_ms_) {
    End(connection, EndReason::kMaxLifetime);
  } else {
    End(connection, connection.IsHalfClosed() ? EndReason::kHalfCloseTimeout : EndReason::kIdleTimeout);
  }
}

void Relay::CloseBackend(uint32_t slot, EndReason reason) {
  if (!epoll_.is_open()) return;
  ReadClock();
  for (uint32_t i = 0; i < slab_.size(); i++) {
    Connection& connection = slab_[i];
    if (connection.slot != slot) continue;
    // Not a byte of its client has been sent.
    const bool may_move = connection.phase == Phase::kConnecting || connection.is_replaceable;
    if (may_move) {
      Move(connection);
    } else if (connection.phase == Phase::kRelaying) {
      End(connection, reason);
    }
  }
  warm_.CloseBackend(slot);
  if (udp_) udp_->CloseBackend(slot, reason);
  Conclude();
}

AccessSubject Relay::SubjectOf(const Connection& connection) {
  return {connection.peer, connection.listener, false, connection.bytes_from_client, connection.bytes_to_client,
          connection.server_name};
}

void Relay::Reject(Connection& connection, RejectReason reason) {
  counters_.CountRejected(reason, 1);
  if (AccessTrace* trace = access_.connections.Find(connection.index)) {
    access_.WriteRejection(*trace, SubjectOf(connection), reason, now_us_);
  }
  // Resets the client, so that it sees a failure and not an empty answer; and the backend, where it has accepted already.
  Free(connection);
}

// Both sockets were made to be reset by whoever closes them: an orderly end takes that back.
void Relay::Finish(Connection& connection) {
  EndOnClose(connection.client.fd.get());
  EndOnClose(connection.backend.fd.get());
  End(connection, EndReason::kFinished);
}

// Unless Finish has told the sockets otherwise, the other side learns that the stream is broken, and no TIME_WAIT holds a port
// towards the backend.
void Relay::End(Connection& connection, EndReason reason) {
  counters_.CountEnded(reason, now_ms_ - connection.started_ms, connection.bytes_from_client + connection.bytes_to_client);
  if (AccessTrace* trace = access_.connections.Find(connection.index)) {
    access_.WriteEnd(*trace, SubjectOf(connection), reason, now_us_);
  }
  if (!connection.has_answered) JudgeSilence(connection, reason);
  Free(connection);
}

// What the end of a connection says of a backend that has not sent a byte: nothing, where a timeout or the client ended it.
void Relay::JudgeSilence(const Connection& connection, EndReason reason) {
  if (reason == EndReason::kFinished) return breaker_.Succeeded(connection.slot, connection.is_trial);
  if (reason != EndReason::kBackendReset) return;
  counters_.CountBackendError(connection.slot, BackendError::kReset);
  breaker_.Failed(connection.slot, connection.is_trial);
}

void Relay::Free(Connection& connection) {
  // Before the client can know of its end: it may come again at once.
  counters_.LeaveClient(std::exchange(connection.client_word, 0));
  if (connection.holds_place()) counters_.ReleasePlace(connection.slot);
  wheel_.Cancel(connection.timer);
  connection.upload.Reset(pump_);
  connection.download.Reset(pump_);
  connection.client = Endpoint{};
  connection.backend = Endpoint{};
  connection.tries = connection.moves = 0;
  connection.is_ack_delayed = false;
  connection.is_client_watched = false;
  connection.is_queued = false;
  connection.is_replaceable = connection.is_counted = false;
  connection.is_admitted = connection.is_hello_over = connection.has_low_water = connection.has_first_bytes = false;
  connection.peeks = 0;
  connection.bytes_from_client = connection.bytes_to_client = 0;
  connection.rule = 0;
  connection.server_name.clear();
  slab_.Give(connection);
  counters_.Leave(connection.listener);
}

}  // namespace edgeproxy
