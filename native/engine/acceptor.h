// A thread of the primary that owns listening sockets and gives each connection to the worker with the fewest.
//
// All methods belong to one thread, the caller's, and all but Close return at once. Descriptors given are duplicated:
// the caller keeps its own. Methods with a ticket tell the observer when they are done, also where Close overtakes them.
#pragma once

#include <pthread.h>

#include <cstdint>
#include <memory>

#include "acceptor_loop.h"
#include "system_error.h"

namespace edgeproxy {

class Acceptor {
 public:
  // Both `options.region`'s memory and `observer` must outlive Close.
  Acceptor(const AcceptorOptions& options, AcceptorObserver& observer);
  ~Acceptor() { Close(); }
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  SystemError Start();
  // Before Start and after Close these fail with ESHUTDOWN, and with EAGAIN where too many commands wait.
  SystemError AddListener(uint32_t id, int fd);
  SystemError RemoveListener(int fd);
  // Removes it once its queue is empty.
  SystemError RetireListener(int fd, uint64_t ticket);
  // Other limits; the one per worker is above 0.
  SystemError Configure(int32_t max_connections_per_worker, ConnectionLimits limits, RateRule rate_rule = {});
  // Leaves there whom it refuses; that memory must outlive Close.
  SystemError UseAccessLog(const AccessRing& ring);
  SystemError WorkerUp(uint32_t index, int primary_end, int worker_end);
  SystemError WorkerDown(uint32_t index, uint64_t ticket);
  // For one that lives and does not read; see WorkerSet. The ticket is done when others may send to the worker again.
  SystemError WorkerStalled(uint32_t index, uint64_t ticket);
  SystemError WorkerResumed(uint32_t index);
  SystemError Stop(uint64_t ticket);

  // Carries out what was asked before, then ends and joins the thread; idempotent.
  void Close();

  const AcceptorStats& stats() const { return stats_; }

 private:
  static void* RunThread(void* loop);
  SystemError Push(AcceptorCommand command);

  // What lives from Start to Close.
  struct Running {
    Running(const AcceptorOptions& options, AcceptorObserver& observer, AcceptorStats& stats);
    AcceptorQueue commands;
    AcceptorLoop loop;
    pthread_t thread{};
  };

  const AcceptorOptions options_;
  AcceptorObserver& observer_;
  AcceptorStats stats_;
  std::unique_ptr<Running> running_;
};

}  // namespace edgeproxy
