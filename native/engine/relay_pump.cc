// The relay's bytes: pumped both ways a turn at a time, until each side has sent all it will.
#include <sys/socket.h>

#include "relay.h"

namespace edgeproxy {

bool Relay::PumpBoth(Connection& connection) {
  return PumpOne(connection, Side::kClient) && PumpOne(connection, Side::kBackend);
}

// Returns whether the connection is still there.
bool Relay::PumpOne(Connection& connection, Side from) {
  const bool is_upload = from == Side::kClient;
  Direction& direction = is_upload ? connection.upload : connection.download;
  if (direction.is_finished()) return true;
  const PumpOutcome outcome = PumpAndCount(connection, from);
  if (connection.is_replaceable && HasLostBackend(connection, from, outcome)) {
    Redial(connection);
    return false;
  }
  switch (outcome) {
    case PumpOutcome::kWaiting:
      return true;
    case PumpOutcome::kAgain:
      Queue(connection);
      return true;
    case PumpOutcome::kFinished:
      return ForwardEnd(connection, from);
    case PumpOutcome::kSourceFailed:
      End(connection, is_upload ? EndReason::kClientReset : EndReason::kBackendReset);
      return false;
    case PumpOutcome::kSinkFailed:
      TakeLastWords(connection, is_upload ? Side::kBackend : Side::kClient);
      End(connection, is_upload ? EndReason::kBackendReset : EndReason::kClientReset);
      return false;
  }
  return true;
}

// Bytes that the backend did not take are still there, or it is too late to send them elsewhere.
bool Relay::HasLostBackend(const Connection& connection, Side from, PumpOutcome outcome) {
  if (from == Side::kClient) return outcome == PumpOutcome::kSinkFailed && connection.upload.HasUndelivered();
  return outcome == PumpOutcome::kFinished || outcome == PumpOutcome::kSourceFailed;
}

PumpOutcome Relay::PumpAndCount(Connection& connection, Side from) {
  const bool is_upload = from == Side::kClient;
  Endpoint& source = is_upload ? connection.client : connection.backend;
  Endpoint& sink = is_upload ? connection.backend : connection.client;
  uint64_t delivered = 0;
  const PumpOutcome outcome = (is_upload ? connection.upload : connection.download).Pump(source, sink, pump_, delivered);
  if (delivered == 0) return outcome;
  connection.last_activity_ms = now_ms_;
  connection.is_replaceable = false;
  if (is_upload) {
    if (connection.is_ack_delayed) StopDelayingAck(connection);
    connection.bytes_from_client += delivered;
    counters_.CountFromClient(connection.slot, delivered);
  } else {
    connection.bytes_to_client += delivered;
    counters_.CountToClient(connection.slot, delivered);
    if (!connection.has_answered) {
      connection.has_answered = true;
      breaker_.Succeeded(connection.slot, connection.is_trial);
    }
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
    Finish(connection);
    return false;
  }
  connection.is_replaceable = false;
  if (AccessTrace* trace = access_.connections.Find(connection.index)) trace->has_client_ended_first = is_upload;
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

}  // namespace edgeproxy
