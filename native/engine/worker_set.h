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

  // Gives each socket to the live worker with the fewest connections; what nobody can take now stays in `held`.
  struct Dispatched {
    uint32_t sockets = 0;
    uint32_t messages = 0;
  };
  Dispatched Dispatch(HeldSockets& held);

  // How many sockets the live workers may still get, at most `limit`.
  uint32_t Room(uint32_t limit) const;
  bool has_live() const { return !live_.empty(); }
  // Sockets taken back from dead workers, and those that could not be: this process had no descriptor left for them.
  uint64_t recovered() const { return recovered_; }
  uint64_t lost() const { return lost_; }

 private:
  struct Worker {
    UniqueFd primary_end;
    UniqueFd worker_end;
    Message batch;
  };

  std::atomic<int32_t>& Active(uint32_t index) const { return region_.worker(index).active; }
  // The index of the candidate with the fewest connections, or -1 where all are full.
  int32_t FewestConnections();
  // One try at every socket in `held`; returns whether a channel was full, so that another try has other candidates.
  bool Pass(HeldSockets& held);
  bool Flush(uint32_t index);

  RegionView region_;
  int32_t max_connections_;
  std::vector<Worker> workers_;
  std::vector<uint32_t> live_;
  // The live workers whose channel has not been full in this dispatch.
  std::vector<uint32_t> candidates_;
  // Where the next search begins, so that equals take turns.
  uint32_t turn_ = 0;
  Dispatched dispatched_;
  HeldSockets refused_;
  uint64_t recovered_ = 0;
  uint64_t lost_ = 0;
};

}  // namespace edgeproxy
