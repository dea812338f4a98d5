// The relay's clients: from the channel (handoff) or from listening sockets of its own (reuseport).
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "relay.h"
#include "udp_relay.h"

namespace edgeproxy {

namespace {
constexpr int kAcceptsPerEvent = 64;
constexpr int kMessagesPerEvent = 8;
// Out of descriptors or memory: others will close theirs before asking again makes sense.
constexpr uint64_t kAcceptPauseMs = 20;
// How often a worker that leaves its listening sockets to the acceptor looks whether they are its own again.
constexpr uint64_t kReliefCheckMs = 50;
// A place that another worker frees is not announced: it is looked for this often, and only while clients wait.
constexpr uint64_t kFullPauseMs = 5;
}  // namespace

void Relay::ReadChannel() {
  for (int i = 0; i < kMessagesPerEvent; i++) {
    const int error = ReceiveMessage(channel_.get(), message_);
    if (error == EAGAIN) return;
    // Nobody but the primary sends here, and no message of its is of that kind: there is no client in it to count.
    if (error == EBADMSG) continue;
    if (error != 0) {
      // The primary is gone. When this process ends is not decided here (see dieWithParent).
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, channel_.get(), nullptr);
      return;
    }
    const bool is_full = message_.count == kMessageDescriptors;
    TakeMessage(message_);
    // Most often this was the only one, and epoll tells of another: spare the question.
    if (!is_full) return;
  }
}

void Relay::TakeMessage(Message& message) {
  switch (message.kind) {
    case MessageKind::kConnections:
      for (uint32_t i = 0; i < message.count; i++) {
        HandedSocket& socket = message.sockets[i];
        if (socket.fd.is_open()) {
          Admit(std::move(socket.fd), socket.listener, socket.peer);
        } else {
          // No descriptor was left for it here; the kernel has closed it.
          counters_.CountRejected(RejectReason::kNoDescriptors, 1);
          if (access_.IsOn()) access_.WriteRefusal({socket.peer, socket.listener, false}, RejectReason::kNoDescriptors, now_us_);
          counters_.Leave(socket.listener);
        }
      }
      return;
    case MessageKind::kRegion:
    case MessageKind::kListener:
      if (message.count == 1) TakeOne(message);
      return;
    case MessageKind::kCloseListener:
      CloseListener(message.argument);
      return;
  }
}

void Relay::TakeOne(Message& message) {
  UniqueFd fd = std::move(message.sockets[0].fd);
  if (!fd.is_open()) return host_.OnLost({EMFILE, "recvmsg"});
  if (message.kind == MessageKind::kRegion) return host_.OnRegion(message.argument, std::move(fd));
  AddListener(message.argument, std::move(fd));
}

// The place of one that was closed is taken again; an event for that one which is still to come finds an empty queue.
void Relay::AddListener(uint32_t id, UniqueFd fd) {
  if (IsDatagramSocket(fd.get())) {
    const int error = AddUdpListener(id, std::move(fd));
    return error == 0 ? void() : host_.OnLost({error, "epoll_ctl"});
  }
  const auto place =
      std::find_if(listeners_.begin(), listeners_.end(), [](const Listener& listener) { return !listener.fd.is_open(); });
  const auto position = static_cast<uint32_t>(place - listeners_.begin());
  const int error = Watch(fd.get(), kSpecialToken | position, EPOLLIN);
  if (error != 0) return host_.OnLost({error, "epoll_ctl"});
  if (place == listeners_.end()) {
    listeners_.push_back(Listener{id, std::move(fd)});
  } else {
    *place = Listener{id, std::move(fd)};
  }
  if (is_draining_) EmptyAndClose(position);
}

int Relay::AddUdpListener(uint32_t id, UniqueFd fd) {
  if (!udp_) {
    const UdpSurroundings surroundings{counters_.region(), counters_.worker(), host_, batch_.requests, batch_.responses, options_,
                                       gate_, room_, access_, epoll_.get()};
    udp_ = std::make_unique<UdpRelay>(surroundings, now_us_);
  }
  if (is_draining_) udp_->Drain();
  return udp_->AddListener(id, std::move(fd));
}

void Relay::LeaveListener(uint32_t id) {
  if (udp_) udp_->LeaveListener(id);
}

// Its place stays, empty, so that the others keep theirs. Whom it has no room for stays in the queue: the primary holds
// the socket open and sees to them.
void Relay::CloseListener(uint32_t id) {
  for (uint32_t position = 0; position < listeners_.size(); position++) {
    if (listeners_[position].id == id) EmptyAndClose(position);
  }
  if (udp_) udp_->CloseListener(id);
}

// Closing is not enough: the primary holds the same socket open, and epoll watches sockets, not descriptors.
void Relay::Forget(Listener& listener) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener.fd.get(), nullptr);
  listener.fd.Reset();
}

// Empties the queues a last time; the primary has closed its own copies by now. A listener that it sent before may still
// be in the channel, which this order did not take: AddListener does the same with it.
void Relay::Drain() {
  is_draining_ = true;
  warm_.Stop();
  if (udp_) udp_->Drain();
  ReadClock();
  Conclude();
}

void Relay::EmptyAndClose(uint32_t position) {
  if (!listeners_[position].fd.is_open()) return;
  while (AcceptFrom(position)) {
  }
  // In a drain whoever waits has nobody else: they are taken as connections end, until the drain's deadline.
  const bool is_full = IsFull() || now_ms_ < listening_paused_until_ms_;
  if (is_draining_ && is_full) return;
  if (listeners_[position].fd.is_open()) Forget(listeners_[position]);
}

// Returns whether there may be more.
bool Relay::AcceptFrom(uint32_t position) {
  if (position >= listeners_.size() || !listeners_[position].fd.is_open()) return false;
  // In a drain nobody else has them any more.
  if (!is_draining_ && IsRelieved()) return false;
  Listener& listener = listeners_[position];
  for (int i = 0; i < kAcceptsPerEvent; i++) {
    if (IsFull()) return false;
    // A drain accepts beyond the limits of all workers: whoever waits here could only be reset.
    const bool has_entered = room_.IsLimited(listener.id) && !is_draining_;
    if (has_entered && !MayEnter(listener)) return false;
    sockaddr_storage from;
    socklen_t length = sizeof from;
    UniqueFd fd(::accept4(listener.fd.get(), reinterpret_cast<sockaddr*>(&from), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.is_open()) {
      const PeerAddress peer = PeerAddress::FromSockaddr(from);
      if (gate_.Refuses(peer)) {
        // Counted before the socket is closed, which resets it.
        Refuse(listener, peer);
        if (has_entered) counters_.Leave(listener.id);
        continue;
      }
      if (!has_entered) counters_.Enter(listener.id);
      Admit(std::move(fd), listener.id, peer);
      continue;
    }
    const int error = errno;
    if (has_entered) counters_.Leave(listener.id);
    if (IsOutOfResources(error)) PauseListening();
    if (error == EAGAIN || IsOutOfResources(error)) return false;
    if (error == EINVAL || error == EBADF) {
      // Shut down by somebody: it would stay readable for ever.
      Forget(listener);
      return false;
    }
    // The failure of one client (accept(2)): the next may be well.
  }
  return true;
}

// Takes a place of those that all workers may have together, before it is known whether a client comes: none is accepted
// that would have to be turned away.
bool Relay::MayEnter(Listener& listener) {
  counters_.Enter(listener.id);
  if (room_.InAll() >= 0 && room_.At(listener.id) >= 0) return true;
  counters_.Leave(listener.id);
  listener.paused_until_ms = now_ms_ + kFullPauseMs;
  return false;
}

// One that is over its rate.
void Relay::Refuse(const Listener& listener, const PeerAddress& peer) {
  counters_.CountAccepted(1);
  counters_.CountRejected(RejectReason::kRateLimited, 1);
  if (access_.IsOn()) access_.WriteRefusal({peer, listener.id, false}, RejectReason::kRateLimited, now_us_);
}

void Relay::PauseListening() { listening_paused_until_ms_ = now_ms_ + kAcceptPauseMs; }

// Reuseport: a worker that stood still or sheds load leaves its queues to the acceptor, which knows who else takes clients.
// Relaxed: with `stalled` nothing else must be seen, and a turn later is soon enough.
bool Relay::IsRelieved() const {
  return counters_.IsShedding() || counters_.block().stalled.load(std::memory_order_relaxed) != 0;
}

// Back-pressure: clients stay in the queue of the listener while this worker is full, or all of them are.
void Relay::UpdateListening() {
  if (!listeners_.empty() && !is_draining_ && IsRelieved()) listening_paused_until_ms_ = now_ms_ + kReliefCheckMs;
  const bool has_room = !IsFull() && now_ms_ >= listening_paused_until_ms_;
  next_listening_ms_ = kNever;
  for (uint32_t position = 0; position < listeners_.size(); position++) {
    const Listener& listener = listeners_[position];
    if (!listener.fd.is_open()) continue;
    const bool is_paused = now_ms_ < listener.paused_until_ms;
    if (is_paused) next_listening_ms_ = std::min(next_listening_ms_, listener.paused_until_ms);
    if (listener.is_armed != (has_room && !is_paused)) Arm(position, !listener.is_armed);
  }
}

void Relay::Arm(uint32_t position, bool is_armed) {
  Listener& listener = listeners_[position];
  epoll_event event{};
  event.events = is_armed ? uint32_t{EPOLLIN} : 0;
  event.data.u64 = kSpecialToken | position;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, listener.fd.get(), &event) == 0) listener.is_armed = is_armed;
}

void Relay::Admit(UniqueFd fd, uint32_t listener, const PeerAddress& peer) {
  counters_.CountAccepted(1);
  Connection& connection = slab_.Take();
  connection.phase = Phase::kRouting;
  connection.client.fd = std::move(fd);
  connection.listener = listener;
  connection.peer = peer;
  connection.accepted_ms = now_ms_;
  if (access_.IsOn()) access_.connections.Begin(connection.index, now_us_);
  waiting_.push_back(TokenOf(connection, Side::kClient));
}

}  // namespace edgeproxy
