#include "pipe_pool.h"

#include <fcntl.h>

namespace edgeproxy {

namespace {
// 64 KiB pipes lose half of what splice gains over copying (measured); 1 MiB is the default of fs.pipe-max-size.
constexpr int kWantedBytes = 1 << 20;
constexpr int kLeastBytes = 64 << 10;
constexpr uint64_t kRefusalMs = 1000;
}  // namespace

Pipe* PipePool::Acquire(uint64_t now_ms) {
  if (!idle_.empty()) {
    Pipe* pipe = idle_.back().release();
    idle_.pop_back();
    return pipe;
  }
  if (pipes_ >= max_pipes_ || now_ms < refused_until_ms_) return nullptr;
  std::unique_ptr<Pipe> pipe = Create();
  if (!pipe) {
    refused_until_ms_ = now_ms + kRefusalMs;
    return nullptr;
  }
  Count(1);
  return pipe.release();
}

void PipePool::Release(Pipe* pipe) { idle_.emplace_back(pipe); }

void PipePool::Discard(Pipe* pipe) {
  delete pipe;
  Count(-1);
}

std::unique_ptr<Pipe> PipePool::Create() {
  int ends[2];
  if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) == -1) return nullptr;
  auto pipe = std::make_unique<Pipe>();
  pipe->read_end.Reset(ends[0]);
  pipe->write_end.Reset(ends[1]);
  // EPERM (an unprivileged user beyond its pages) leaves the size as it is.
  (void)::fcntl(ends[1], F_SETPIPE_SZ, kWantedBytes);
  const int bytes = ::fcntl(ends[1], F_GETPIPE_SZ);
  if (bytes < kLeastBytes) return nullptr;
  pipe->capacity_bytes = static_cast<uint32_t>(bytes);
  return pipe;
}

void PipePool::Count(int32_t change) {
  pipes_ += static_cast<uint32_t>(change);
  if (gauge_ != nullptr) gauge_->store(static_cast<int32_t>(pipes_), std::memory_order_relaxed);
}

}  // namespace edgeproxy
