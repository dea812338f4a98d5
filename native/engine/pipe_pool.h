// Pipes for splice(2), a budget of this worker.
//
// A pipe belongs to a direction only while it holds bytes; an idle connection has none. Without CAP_SYS_RESOURCE the
// kernel gives a user's first pipes 64 KiB and later ones 8 KiB or less, and refuses to grow them: what the kernel gave
// is read back, and a pipe too small to be worth a splice is refused, so that the caller copies instead.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "unique_fd.h"

namespace edgeproxy {

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
  uint32_t capacity_bytes = 0;
};

class PipePool {
 public:
  // `gauge` (may be null) follows the number of pipes that exist, in use or pooled.
  PipePool(uint32_t max_pipes, std::atomic<int32_t>* gauge) : max_pipes_(max_pipes), gauge_(gauge) {}
  PipePool(const PipePool&) = delete;
  PipePool& operator=(const PipePool&) = delete;

  // An empty pipe, or null where the budget or the system has no more; after a refusal of the system it does not ask
  // again for a second.
  Pipe* Acquire(uint64_t now_ms);
  // Takes back an empty pipe.
  void Release(Pipe* pipe);
  // Closes a pipe that may still hold bytes.
  void Discard(Pipe* pipe);

 private:
  std::unique_ptr<Pipe> Create();
  void Count(int32_t change);

  const uint32_t max_pipes_;
  std::atomic<int32_t>* const gauge_;
  uint32_t pipes_ = 0;
  uint64_t refused_until_ms_ = 0;
  std::vector<std::unique_ptr<Pipe>> idle_;
};

}  // namespace edgeproxy
