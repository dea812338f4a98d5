#include "listener_set.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace edgeproxy {

namespace {

constexpr int kMaxEvents = 32;
// accept4 calls per round, failed ones included.
constexpr uint32_t kTriesPerRound = 64;
constexpr uint64_t kWakeSerial = 0;

int Watch(int epoll, int fd, uint64_t serial) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = serial;
  return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1 ? errno : 0;
}

}  // namespace

SystemError ListenerSet::Open(int wake_fd) {
  epoll_.Reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.is_open()) return SystemError::Last("epoll_create1");
  const int error = Watch(epoll_.get(), wake_fd, kWakeSerial);
  return error == 0 ? SystemError{} : SystemError{error, "epoll_ctl"};
}

void ListenerSet::Add(UniqueFd fd, uint32_t id, int key) {
  if (Watch(epoll_.get(), fd.get(), next_serial_) != 0) {
    broken_++;
    return;
  }
  listeners_.push_back({std::move(fd), id, key, next_serial_++});
}

void ListenerSet::Remove(int key) {
  std::erase_if(listeners_, [&](const Listener& listener) {
    if (listener.key != key) return false;
    Forget(listener);
    return true;
  });
}

void ListenerSet::Clear() {
  for (const Listener& listener : listeners_) Forget(listener);
  listeners_.clear();
}

// Closing is not enough: the caller holds the same socket open, and epoll watches sockets, not descriptors.
void ListenerSet::Forget(const Listener& listener) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener.fd.get(), nullptr);
}

bool ListenerSet::Wait(int timeout_ms) {
  ready_.clear();
  epoll_event events[kMaxEvents];
  const int count = ::epoll_wait(epoll_.get(), events, kMaxEvents, timeout_ms);
  bool is_woken = false;
  for (int i = 0; i < count; i++) {
    if (events[i].data.u64 == kWakeSerial) {
      is_woken = true;
    } else {
      ready_.push_back(events[i].data.u64);
    }
  }
  // Each is first in turn, so that a listener with a long queue leaves room for the others.
  if (ready_.size() > 1) {
    std::rotate(ready_.begin(), ready_.begin() + static_cast<ptrdiff_t>(round_++ % ready_.size()), ready_.end());
  }
  return is_woken;
}

ListenerSet::Outcome ListenerSet::Accept(uint32_t limit, HeldSockets& into) {
  const size_t before = into.size();
  uint32_t left = limit;
  uint32_t tries = kTriesPerRound;
  for (const uint64_t serial : ready_) {
    if (left == 0 || tries == 0) break;
    const auto at = std::find_if(listeners_.begin(), listeners_.end(),
                                 [&](const Listener& listener) { return listener.serial == serial; });
    if (at == listeners_.end()) continue;
    const Verdict verdict = AcceptFrom(*at, left, tries, into);
    if (verdict == Verdict::kPause) return Outcome::kPause;
    if (verdict != Verdict::kBroken) continue;
    Forget(*at);
    listeners_.erase(at);
    broken_++;
  }
  const bool is_fruitless = tries == 0 && into.size() == before;
  return is_fruitless ? Outcome::kPause : Outcome::kGoOn;
}

ListenerSet::Verdict ListenerSet::AcceptFrom(const Listener& listener, uint32_t& left, uint32_t& tries,
                                             HeldSockets& into) {
  while (left > 0 && tries > 0) {
    tries--;
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    UniqueFd fd(::accept4(listener.fd.get(), reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.is_open()) {
      into.push_back({std::move(fd), listener.id, PeerAddress::FromSockaddr(peer)});
      left--;
      continue;
    }
    const Verdict verdict = Judge(errno);
    if (verdict != Verdict::kRetry) return verdict;
  }
  return Verdict::kRetry;
}

ListenerSet::Verdict ListenerSet::Judge(int error) {
  if (IsOutOfResources(error)) return Verdict::kPause;
  switch (error) {
    case EAGAIN:
      return Verdict::kDrained;
    // The listener itself is of no use (shut down, or never one): it would stay readable for ever.
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
      return Verdict::kBroken;
    // That one connection failed: aborted while it waited, refused by the firewall, or accept(2)'s network errors.
    default:
      return Verdict::kRetry;
  }
}

}  // namespace edgeproxy
