// A control region in plain memory and the workers' side of their channels, for tests of the acceptor.
#pragma once

#include <time.h>

#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "acceptor.h"
#include "channel.h"
#include "check.h"
#include "shared_layout.h"
#include "sockets.h"

namespace edgeproxy::test {

class ControlRegion {
 public:
  explicit ControlRegion(uint32_t workers, uint32_t rate_sets = 0)
      : lines_((RegionView::kWorkersAt + workers * sizeof(WorkerBlock)) / kLineBytes + rate_sets) {
    RegionHeader header{};
    header.magic = kMagic;
    header.version = kLayoutVersion;
    header.total_words = static_cast<uint32_t>(lines_.size() * kLineBytes / 4);
    header.workers = workers;
    header.rate_sets = rate_sets;
    std::memcpy(static_cast<void*>(lines_.data()), &header, sizeof header);
  }
  RegionView view() { return RegionView(lines_.data(), lines_.size() * kLineBytes); }
  std::atomic<int32_t>& active(uint32_t worker) { return view().worker(worker).active; }
  int32_t at_listener(uint32_t listener) {
    int32_t sum = 0;
    for (uint32_t i = 0; i < view().workers(); i++) sum += view().worker(i).listener_active[listener];
    return sum;
  }

 private:
  struct alignas(kLineBytes) Line {
    unsigned char bytes[kLineBytes];
  };
  std::vector<Line> lines_;
};

// Waits for tickets; told on the acceptor's thread.
class Tickets : public AcceptorObserver {
 public:
  void OnDone(uint64_t ticket) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    done_.insert(ticket);
    changed_.notify_all();
  }
  void OnLost(uint64_t ticket) override {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      lost_.insert(ticket);
    }
    OnDone(ticket);
  }
  bool IsLost(uint64_t ticket) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return lost_.count(ticket) == 1;
  }
  void Wait(uint64_t ticket) {
    std::unique_lock<std::mutex> lock(mutex_);
    CHECK(changed_.wait_for(lock, std::chrono::milliseconds(kWaitMs), [&] { return done_.count(ticket) == 1; }));
  }
  bool IsDone(uint64_t ticket) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return done_.count(ticket) == 1;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<uint64_t> done_;
  std::set<uint64_t> lost_;
};

// One worker's channel, read by hand.
struct FakeWorker {
  UniqueFd primary_end;
  UniqueFd worker_end;
  std::vector<HandedSocket> sockets;

  FakeWorker() { CHECK_EQ(MakeChannel(primary_end, worker_end), 0); }

  void Up(Acceptor& acceptor, uint32_t index) {
    CHECK(!acceptor.WorkerUp(index, primary_end.get(), worker_end.get()).is_set());
  }
  // Takes one message; false where none comes within `timeout_ms`.
  bool TakeMessage(int timeout_ms) {
    if (!IsReadable(worker_end.get(), timeout_ms)) return false;
    Message message;
    const int error = ReceiveMessage(worker_end.get(), message);
    if (error == EAGAIN) return false;
    CHECK_EQ(error, 0);
    CHECK(message.kind == MessageKind::kConnections);
    CHECK(!message.is_truncated);
    for (uint32_t i = 0; i < message.count; i++) sockets.push_back(std::move(message.sockets[i]));
    return true;
  }
  void TakeUntil(size_t count) {
    while (sockets.size() < count) CHECK(TakeMessage(kWaitMs));
  }
};

inline double ProcessCpuMs() {
  timespec used;
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) * 1e3 + static_cast<double>(used.tv_nsec) / 1e6;
}

}  // namespace edgeproxy::test
