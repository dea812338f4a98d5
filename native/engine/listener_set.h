// The listening sockets of one thread, level-triggered in an epoll of their own together with the thread's wake-up.
#pragma once

#include <cstdint>
#include <vector>

#include "connection_limits.h"
#include "rate_gate.h"
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
  // Removes it as soon as its queue is empty; see TakeRetired.
  void Retire(int key, uint64_t ticket);
  // Removes all and empties nothing; the tickets of those that were to retire are handed out next.
  void Clear();
  // Removes what retires and has an empty queue; adds the tickets of all that have gone to `done`.
  void TakeRetired(std::vector<uint64_t>& done);

  // Sleeps until a listener or the wake-up is ready, or `timeout_ms` has passed; -1 waits without limit. Returns whether
  // it was woken up.
  bool Wait(int timeout_ms);
  // Whether the last Wait found a connection waiting.
  bool has_ready() const { return !ready_.empty(); }

  enum class Outcome { kGoOn, kPause };
  struct Accepted {
    HeldSockets& held;
    // Of clients over their rate, open until the caller has served the others.
    HeldSockets& refused;
  };
  // Takes up to `limit` connections from the listeners found ready, and on the way whom `gate` refuses: a bounded number
  // of them, of each listener and in all. kPause: descriptors or memory ran out, or every single connection failed; trying
  // again at once would spin.
  Outcome Accept(uint32_t limit, const ConnectionRoom& room, const RateGate& gate, Accepted into);
  // A listener without room of its own is not waited for until this finds some. Returns whether there is one.
  bool Rearm(const ConnectionRoom& room);
  // Listeners that had to be given up.
  uint64_t broken() const { return broken_; }

 private:
  struct Listener {
    UniqueFd fd;
    uint32_t id;
    int key;
    // Its name in epoll: a descriptor's number may come back as another listener between Wait and Accept.
    uint64_t serial;
    bool is_retiring = false;
    // Its clients wait in its queue: its own limit is reached.
    bool is_full = false;
  };
  struct Retiring {
    int key;
    uint64_t ticket;
  };
  enum class Verdict { kRetry, kDrained, kPause, kBroken };

  static Verdict Judge(int error);
  static bool HasQueued(const Listener& listener);
  void Forget(const Listener& listener);
  void SetFull(Listener& listener, bool is_full);
  // Accepts until the queue is empty, `left` or `tries` is used up, enough were refused or accept4 fails for good.
  Verdict AcceptFrom(const Listener& listener, const RateGate& gate, uint32_t& left, uint32_t& tries, Accepted& into);

  UniqueFd epoll_;
  std::vector<Listener> listeners_;
  std::vector<Retiring> retiring_;
  std::vector<uint64_t> ready_;
  uint32_t round_ = 0;
  uint64_t next_serial_ = 1;
  uint64_t broken_ = 0;
};

}  // namespace edgeproxy
