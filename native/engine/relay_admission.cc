// The relay's clients: from the channel (handoff) or from listening sockets of its own (reuseport).
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

#include "relay.h"

namespace edgeproxy {

namespace {
constexpr int kAcceptsPerEvent = 64;
constexpr int kMessagesPerEvent = 8;
// Out of descriptors or memory: others will close theirs before asking again makes sense.
constexpr uint64_t kAcceptPauseMs = 20;
}  // namespace

void Relay::ReadChannel() {
  for (int i = 0; i < kMessagesPerEvent; i++) {
    const int error = ReceiveMessage(channel_.get(), message_);
    if (error == EAGAIN) return;
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
          counters_.block().active.fetch_sub(1, std::memory_order_release);
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

void Relay::AddListener(uint32_t id, UniqueFd fd) {
  const auto position = static_cast<uint32_t>(listeners_.size());
  const int error = Watch(fd.get(), kSpecialToken | position, is_listening_ ? uint32_t{EPOLLIN} : 0);
  if (error != 0) return host_.OnLost({error, "epoll_ctl"});
  listeners_.push_back(Listener{id, std::move(fd)});
  if (is_draining_) EmptyAndClose(position);
}

// Its place stays, empty, so that the others keep theirs. The primary holds the socket open: no queued client is lost.
void Relay::CloseListener(uint32_t id) {
  for (Listener& listener : listeners_) {
    if (listener.id == id && listener.fd.is_open()) Forget(listener);
  }
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
  ReadClock();
  for (uint32_t position = 0; position < listeners_.size(); position++) EmptyAndClose(position);
  RouteWaiting();
}

void Relay::EmptyAndClose(uint32_t position) {
  if (!listeners_[position].fd.is_open()) return;
  while (AcceptFrom(position)) {
  }
  if (listeners_[position].fd.is_open()) Forget(listeners_[position]);
}

// Returns whether there may be more.
bool Relay::AcceptFrom(uint32_t position) {
  if (position >= listeners_.size() || !listeners_[position].fd.is_open()) return false;
  Listener& listener = listeners_[position];
  for (int i = 0; i < kAcceptsPerEvent; i++) {
    if (slab_.in_use() >= options_.max_connections) return false;
    sockaddr_storage from;
    socklen_t length = sizeof from;
    UniqueFd fd(::accept4(listener.fd.get(), reinterpret_cast<sockaddr*>(&from), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.is_open()) {
      counters_.block().active.fetch_add(1, std::memory_order_relaxed);
      Admit(std::move(fd), listener.id, PeerAddress::FromSockaddr(from));
      continue;
    }
    if (IsOutOfResources(errno)) PauseListening();
    if (errno == EAGAIN || IsOutOfResources(errno)) return false;
    if (errno == EINVAL || errno == EBADF) {
      // Shut down by somebody: it would stay readable for ever.
      Forget(listener);
      return false;
    }
    // The failure of one client (accept(2)): the next may be well.
  }
  return true;
}

void Relay::PauseListening() { listening_paused_until_ms_ = now_ms_ + kAcceptPauseMs; }

// Back-pressure: a full worker leaves clients in the queue of the listener.
void Relay::UpdateListening() {
  const bool should_listen = slab_.in_use() < options_.max_connections && now_ms_ >= listening_paused_until_ms_;
  if (should_listen == is_listening_) return;
  is_listening_ = should_listen;
  for (uint32_t position = 0; position < listeners_.size(); position++) {
    if (!listeners_[position].fd.is_open()) continue;
    epoll_event event{};
    event.events = should_listen ? uint32_t{EPOLLIN} : 0;
    event.data.u64 = kSpecialToken | position;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, listeners_[position].fd.get(), &event);
  }
}

void Relay::Admit(UniqueFd fd, uint32_t listener, const PeerAddress& peer) {
  counters_.CountAccepted(1);
  Connection& connection = slab_.Take();
  connection.phase = Phase::kRouting;
  connection.client.fd = std::move(fd);
  connection.listener = listener;
  connection.peer = peer;
  waiting_.push_back(TokenOf(connection, Side::kClient));
}

}  // namespace edgeproxy
