// The workers that the acceptor hands sockets to: which are live, how many connections each has, and the channel to each.
//
// A worker's load is WorkerBlock.active in the shared region. It is raised here when a socket is assigned and lowered by
// the worker when that connection ends, so it needs no message and is exact at every moment.
#pragma once

#include <cstdint>
#include <vector>

#include "channel.h"
#include "shared_layout.h"
#include "unique_fd.h"

namespace edgeproxy {

// Sockets accepted and not yet handed on.
using HeldSockets = std::vector<HandedSocket>;

class WorkerSet {
 public:
  // A worker gets no more than `max_connections` at a time.
  WorkerSet(RegionView region, int32_t max_connections);

  // Owns both ends. What an earlier worker of the same index had not read goes to `held`.
  void Up(uint32_t index, UniqueFd primary_end, UniqueFd worker_end, HeldSockets& held);
  // Takes what the worker had not read back into `held` and resets its `active`.
  void Down(uint32_t index, HeldSockets& held);

  // For a worker that lives and does not read: it gets nothing until Resume, and the connections that it had not read go
  // back into `held`. What else was in its channel returns there in order, with Settle.
  void Stall(uint32_t index, HeldSockets& held);
  // How much of that is back; to be called until it is not kNotYet, and nobody else may send to the worker before. kLost: what it
  // was sent is gone, as where this process had no descriptor for it; it gets nothing any more, and only a successor helps.
  enum class Settled { kAll, kNotYet, kLost };
  Settled Settle(uint32_t index);
  void Resume(uint32_t index);

  // Gives each socket to the live worker with the fewest connections; what nobody can take now stays in `held`. One that
  // sheds load gets nothing while another does not: it would always have the fewest.
  struct Dispatched {
    uint32_t sockets = 0;
    uint32_t messages = 0;
  };
  Dispatched Dispatch(HeldSockets& held);

  // From the next dispatch on; who has more keeps them.
  void LimitConnections(int32_t max_connections) { max_connections_ = max_connections; }
  // How many sockets the live workers may still get, at most `limit`.
  uint32_t Room(uint32_t limit) const;
  bool has_live() const { return !live_.empty(); }
  // Sockets taken back from dead and stalled workers, and those that could not be: this process had no descriptor left for them.
  uint64_t recovered() const { return recovered_; }
  uint64_t lost() const { return lost_; }

 private:
  struct Worker {
    UniqueFd primary_end;
    UniqueFd worker_end;
    bool is_stalled = false;
    bool is_lost = false;
    // Taken out of the channel with connections, in order.
    std::vector<Message> put_back;
    Message batch;
  };

  std::atomic<int32_t>& Active(uint32_t index) const { return region_.worker(index).active; }
  // Relaxed: only the numbers matter; the socket itself reaches the worker through the kernel.
  void Count(uint32_t index, const HandedSocket& socket, int32_t change) const;
  // Relaxed: a number that the worker sets for whoever looks, with nothing behind it that must be seen first.
  bool IsShedding(uint32_t index) const {
    return region_.worker(index).shedding.load(std::memory_order_relaxed) != 0;
  }
  void UpdateLive(uint32_t index);
  // Empties the channel: connections go to `held`, no longer counted for the worker, the rest to `put_back`.
  void TakeBack(uint32_t index, HeldSockets& held);
  // The live ones that take clients; all live ones where none does, so that clients are told why.
  void ChooseCandidates();
  // The index of the candidate with the fewest connections, or -1 where all are full.
  int32_t FewestConnections();
  // One try at every socket in `held`; returns whether a channel was full, so that another try has other candidates.
  bool Pass(HeldSockets& held);
  bool Flush(uint32_t index);

  RegionView region_;
  int32_t max_connections_;
  std::vector<Worker> workers_;
  std::vector<uint32_t> live_;
  // Those of the live workers whose channel has not been full in this dispatch.
  std::vector<uint32_t> candidates_;
  // Where the next search begins, so that equals take turns.
  uint32_t turn_ = 0;
  Dispatched dispatched_;
  HeldSockets refused_;
  uint64_t recovered_ = 0;
  uint64_t lost_ = 0;
};

}  // namespace edgeproxy
