// The listening sockets of one thread, level-triggered in an epoll of their own together with the thread's wake-up.
#pragma once

#include <cstdint>
#include <vector>

#include "system_error.h"
#include "unique_fd.h"
#include "worker_set.h"

namespace edgeproxy {

class ListenerSet {
 public:
  // `wake_fd` ends a Wait as well.
  SystemError Open(int wake_fd);

  // `fd` listens and is non-blocking; `key` is how the caller names it in Remove.
  void Add(UniqueFd fd, uint32_t id, int key);
  void Remove(int key);
  void Clear();

  // Sleeps until a listener or the wake-up is ready, or `timeout_ms` has passed; -1 waits without limit. Returns whether
  // it was woken up.
  bool Wait(int timeout_ms);
  // Whether the last Wait found a connection waiting.
  bool has_ready() const { return !ready_.empty(); }

  enum class Outcome { kGoOn, kPause };
  // Takes up to `limit` connections from the listeners found ready. kPause: descriptors or memory ran out, or every
  // single connection failed; trying again at once would spin.
  Outcome Accept(uint32_t limit, HeldSockets& into);
  // Listeners that had to be given up.
  uint64_t broken() const { return broken_; }

 private:
  struct Listener {
    UniqueFd fd;
    uint32_t id;
    int key;
    // Its name in epoll: a descriptor's number may come back as another listener between Wait and Accept.
    uint64_t serial;
  };
  enum class Verdict { kRetry, kDrained, kPause, kBroken };

  static Verdict Judge(int error);
  void Forget(const Listener& listener);
  // Accepts until the queue is empty, `limit` is used up or accept4 fails for good.
  Verdict AcceptFrom(const Listener& listener, uint32_t& left, uint32_t& tries, HeldSockets& into);

  UniqueFd epoll_;
  std::vector<Listener> listeners_;
  std::vector<uint64_t> ready_;
  uint32_t round_ = 0;
  uint64_t next_serial_ = 1;
  uint64_t broken_ = 0;
};

}  // namespace edgeproxy
