#include "listener_set.h"

#include <poll.h>
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
// Of one listener in a round: a flood of one leaves the next one its turn, and whoever was accepted waits no longer than
// for so many accepts.
constexpr uint32_t kRefusedPerListener = 16;
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

void ListenerSet::Retire(int key, uint64_t ticket) {
  for (Listener& listener : listeners_) {
    if (listener.key == key) listener.is_retiring = true;
  }
  retiring_.push_back({key, ticket});
}

void ListenerSet::TakeRetired(std::vector<uint64_t>& done) {
  if (retiring_.empty()) return;
  std::erase_if(listeners_, [&](const Listener& listener) {
    if (!listener.is_retiring || HasQueued(listener)) return false;
    Forget(listener);
    return true;
  });
  std::erase_if(retiring_, [&](const Retiring& retiring) {
    const auto is_it = [&](const Listener& listener) { return listener.key == retiring.key; };
    if (std::any_of(listeners_.begin(), listeners_.end(), is_it)) return false;
    done.push_back(retiring.ticket);
    return true;
  });
}

bool ListenerSet::HasQueued(const Listener& listener) {
  pollfd queue = {listener.fd.get(), POLLIN, 0};
  return ::poll(&queue, 1, 0) == 1 && (queue.revents & POLLIN) != 0;
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

bool ListenerSet::Rearm(const ConnectionRoom& room) {
  bool has_full = false;
  for (Listener& listener : listeners_) {
    if (listener.is_full && room.At(listener.id) > 0) SetFull(listener, false);
    has_full = has_full || listener.is_full;
  }
  return has_full;
}

void ListenerSet::SetFull(Listener& listener, bool is_full) {
  epoll_event event{};
  event.events = is_full ? 0 : uint32_t{EPOLLIN};
  event.data.u64 = listener.serial;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, listener.fd.get(), &event) == 0) listener.is_full = is_full;
}

ListenerSet::Outcome ListenerSet::Accept(uint32_t limit, const ConnectionRoom& room, const RateGate& gate, Accepted into) {
  const size_t before = into.held.size() + into.refused.size();
  uint32_t left = limit;
  uint32_t tries = kTriesPerRound;
  for (const uint64_t serial : ready_) {
    if (left == 0 || tries == 0) break;
    const auto at = std::find_if(listeners_.begin(), listeners_.end(),
                                 [&](const Listener& listener) { return listener.serial == serial; });
    if (at == listeners_.end()) continue;
    // What was accepted for it in this round is counted only when it is handed on.
    const auto held = std::count_if(into.held.begin(), into.held.end(),
                                    [&](const HandedSocket& socket) { return socket.listener == at->id; });
    const auto most = static_cast<uint32_t>(std::clamp<int64_t>(room.At(at->id) - held, 0, left));
    if (most == 0) {
      SetFull(*at, true);
      continue;
    }
    uint32_t unused = most;
    const Verdict verdict = AcceptFrom(*at, gate, unused, tries, into);
    left -= most - unused;
    if (verdict == Verdict::kPause) return Outcome::kPause;
    if (verdict != Verdict::kBroken) continue;
    Forget(*at);
    listeners_.erase(at);
    broken_++;
  }
  const bool is_fruitless = tries == 0 && into.held.size() + into.refused.size() == before;
  return is_fruitless ? Outcome::kPause : Outcome::kGoOn;
}

ListenerSet::Verdict ListenerSet::AcceptFrom(const Listener& listener, const RateGate& gate, uint32_t& left,
                                             uint32_t& tries, Accepted& into) {
  const size_t most_refused = into.refused.size() + kRefusedPerListener;
  while (left > 0 && tries > 0 && into.refused.size() < most_refused) {
    tries--;
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    UniqueFd fd(::accept4(listener.fd.get(), reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.is_open()) {
      const PeerAddress client = PeerAddress::FromSockaddr(peer);
      if (gate.Refuses(client)) {
        into.refused.push_back({std::move(fd), listener.id, client});
        continue;
      }
      into.held.push_back({std::move(fd), listener.id, client});
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
