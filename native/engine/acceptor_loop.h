// What the acceptor's thread does: it accepts in rounds and hands each round to the workers.
//
// It sleeps in two ways. With room for connections it waits for its listeners and its commands. Without (workers full or
// gone, a channel full, no descriptor left), and while connections gather under load, it waits for commands alone, with
// a timeout: clients then wait in the kernel's queue, which is the back-pressure, and nothing spins on a listener that
// stays readable.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "access_log.h"
#include "coalesce_policy.h"
#include "command_queue.h"
#include "connection_limits.h"
#include "listener_set.h"
#include "rate_gate.h"
#include "shared_layout.h"
#include "system_error.h"
#include "unique_fd.h"
#include "worker_set.h"

namespace edgeproxy {

struct AcceptorOptions {
  RegionView region;
  int32_t max_connections_per_worker;
  uint32_t coalesce_micros;
};

struct AcceptorStats {
  std::atomic<uint64_t> accepted{0};
  std::atomic<uint64_t> handed{0};
  // Over their rate: reset at once, and not among the accepted.
  std::atomic<uint64_t> refused{0};
  // Taken back from dead and stalled workers, and lost there for want of descriptors.
  std::atomic<uint64_t> recovered{0};
  std::atomic<uint64_t> lost{0};
  // How often accepting paused because descriptors or memory ran out, and because no live worker had room.
  std::atomic<uint64_t> paused_for_descriptors{0};
  std::atomic<uint64_t> rested{0};
  // Listeners given up because they cannot be accepted from (shut down by somebody else, or no memory to watch them).
  std::atomic<uint64_t> broken_listeners{0};
};

// Told on the acceptor's thread that the command with that ticket is done.
class AcceptorObserver {
 public:
  virtual void OnDone(uint64_t ticket) = 0;
  // The same of a stalled worker whose orders are lost: it must be replaced.
  virtual void OnLost(uint64_t ticket) = 0;

 protected:
  ~AcceptorObserver() = default;
};

struct AcceptorCommand {
  enum class Kind {
    kAddListener, kRemoveListener, kRetireListener, kConfigure, kUseAccessLog, kWorkerUp, kWorkerDown, kWorkerStalled,
    kWorkerResumed, kStop
  };
  Kind kind;
  // Of the listener or of the worker; the limit of kConfigure.
  uint32_t index = 0;
  // The number by which the caller knows a listener; not a descriptor of ours.
  int key = -1;
  // The listener, or the two ends of a worker's channel.
  UniqueFd first = UniqueFd();
  UniqueFd second = UniqueFd();
  uint64_t ticket = 0;
  // Of kConfigure.
  ConnectionLimits limits{};
  RateRule rate_rule{};
  // Of kUseAccessLog.
  AccessRing access{};
};
using AcceptorQueue = CommandQueue<AcceptorCommand>;

class AcceptorLoop {
 public:
  AcceptorLoop(const AcceptorOptions& options, AcceptorQueue& commands, AcceptorObserver& observer, AcceptorStats& stats);

  SystemError Open();
  // Until the queue is closed; what was queued before that is still carried out.
  void Run();

 private:
  void Turn();
  // How long to wait for commands alone before accepting; 0: accept now, -1: until a command comes.
  int64_t RestNs();
  // How many connections may be accepted now, at most `limit`.
  uint32_t Room(uint32_t limit) const;
  void WaitAndAccept();
  WorkerSet::Dispatched AcceptRound();
  WorkerSet::Dispatched HandOn();
  void ResetRefused();
  void PublishTotals();
  void ReportRetired();

  bool WaitForCommands(int64_t timeout_ns);
  void RunCommands();
  void Execute(AcceptorCommand& command);
  void SettleStalls();

  void StopTurn();
  void FinishStop();

  const AcceptorOptions options_;
  AcceptorQueue& commands_;
  AcceptorObserver& observer_;
  AcceptorStats& stats_;

  WorkerSet workers_;
  ConnectionRoom room_;
  RateGate gate_;
  AccessLog access_;
  ListenerSet listeners_;
  HeldSockets held_;
  // Of one round.
  HeldSockets refused_;
  std::vector<AcceptorCommand> taken_;
  CoalescePolicy coalescing_;
  uint64_t paused_until_ns_ = 0;
  bool is_resting_ = false;
  bool is_open_ = true;

  // Workers whose channel could not be given all of its messages back yet, and who waits for that.
  struct Stall {
    uint32_t index;
    uint64_t ticket;
  };
  std::vector<Stall> stalls_;

  std::vector<uint64_t> stop_tickets_;
  uint64_t stop_deadline_ns_ = 0;
};

}  // namespace edgeproxy
