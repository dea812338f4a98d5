// A bounded queue of commands from any thread to one that sleeps on an eventfd.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "system_error.h"
#include "unique_fd.h"

namespace edgeproxy {

template <typename Command>
class CommandQueue {
 public:
  explicit CommandQueue(size_t capacity) : capacity_(capacity) {}

  SystemError Open() {
    wake_.Reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    return wake_.is_open() ? SystemError{} : SystemError::Last("eventfd");
  }

  // Readable while commands may wait.
  int wake_fd() const { return wake_.get(); }

  // 0, or ESHUTDOWN where the queue is closed and EAGAIN where it is full.
  int Push(Command command) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (is_closed_) return ESHUTDOWN;
      if (commands_.size() >= capacity_) return EAGAIN;
      commands_.push_back(std::move(command));
    }
    Wake();
    return 0;
  }

  // No further Push succeeds; what is queued is still to be taken.
  void Close() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      is_closed_ = true;
    }
    Wake();
  }

  // Everything queued, in order. Returns false once the queue is closed: nothing follows.
  bool TakeAll(std::vector<Command>& taken) {
    taken.clear();
    uint64_t wakes;
    while (::read(wake_.get(), &wakes, sizeof wakes) == -1 && errno == EINTR) continue;
    const std::lock_guard<std::mutex> lock(mutex_);
    std::swap(taken, commands_);
    return !is_closed_;
  }

 private:
  // The counter cannot overflow, so the write fails only on EINTR.
  void Wake() {
    const uint64_t one = 1;
    while (::write(wake_.get(), &one, sizeof one) == -1 && errno == EINTR) continue;
  }

  const size_t capacity_;
  UniqueFd wake_;
  std::mutex mutex_;
  std::vector<Command> commands_;
  bool is_closed_ = false;
};

}  // namespace edgeproxy
