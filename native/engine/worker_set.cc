#include "worker_set.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace edgeproxy {

WorkerSet::WorkerSet(RegionView region, int32_t max_connections)
    : region_(region), max_connections_(max_connections), workers_(region.workers()) {
  live_.reserve(workers_.size());
  candidates_.reserve(workers_.size());
}

void WorkerSet::Up(uint32_t index, UniqueFd primary_end, UniqueFd worker_end, HeldSockets& held) {
  Down(index, held);
  workers_[index].primary_end = std::move(primary_end);
  workers_[index].worker_end = std::move(worker_end);
  live_.push_back(index);
}

void WorkerSet::Down(uint32_t index, HeldSockets& held) {
  if (std::erase(live_, index) == 0) return;
  Worker& worker = workers_[index];
  Message message;
  for (;;) {
    const int error = ReceiveMessage(worker.worker_end.get(), message);
    if (error == EBADMSG) continue;
    if (error != 0) break;
    // Regions and listeners are sent again to the successor, by whoever sent them.
    if (message.kind != MessageKind::kConnections) continue;
    for (uint32_t i = 0; i < message.count; i++) {
      HandedSocket& socket = message.sockets[i];
      if (!socket.fd.is_open()) {
        lost_++;
        continue;
      }
      recovered_++;
      held.push_back(std::move(socket));
    }
  }
  worker.primary_end.Reset();
  worker.worker_end.Reset();
  // The process is gone and nothing is assigned outside a dispatch: nobody else writes this word now.
  Active(index).store(0, std::memory_order_relaxed);
}

uint32_t WorkerSet::Room(uint32_t limit) const {
  int64_t room = 0;
  for (const uint32_t index : live_) {
    room += std::max(0, max_connections_ - Active(index).load(std::memory_order_relaxed));
  }
  return static_cast<uint32_t>(std::min<int64_t>(room, limit));
}

WorkerSet::Dispatched WorkerSet::Dispatch(HeldSockets& held) {
  dispatched_ = {};
  candidates_ = live_;
  // Each pass that is refused takes at least one candidate out, so this ends.
  while (!held.empty() && Pass(held)) continue;
  return dispatched_;
}

bool WorkerSet::Pass(HeldSockets& held) {
  bool is_refused = false;
  for (HandedSocket& socket : held) {
    const int32_t index = FewestConnections();
    if (index == -1) {
      refused_.push_back(std::move(socket));
      continue;
    }
    const auto chosen = static_cast<uint32_t>(index);
    // Relaxed: only the number matters here; the socket itself reaches the worker through the kernel.
    Active(chosen).fetch_add(1, std::memory_order_relaxed);
    Message& batch = workers_[chosen].batch;
    batch.sockets[batch.count++] = std::move(socket);
    if (batch.count == kMessageDescriptors && !Flush(chosen)) is_refused = true;
  }
  for (const uint32_t index : live_) {
    if (workers_[index].batch.count > 0 && !Flush(index)) is_refused = true;
  }
  held.clear();
  std::swap(held, refused_);
  return is_refused;
}

int32_t WorkerSet::FewestConnections() {
  const auto count = static_cast<uint32_t>(candidates_.size());
  int32_t best = -1;
  int32_t fewest = max_connections_;
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t index = candidates_[(turn_ + i) % count];
    const int32_t active = Active(index).load(std::memory_order_relaxed);
    if (active >= fewest) continue;
    fewest = active;
    best = static_cast<int32_t>(index);
  }
  turn_++;
  return best;
}

// Sends the worker's batch. Where its channel does not take it now, the sockets go back to be tried elsewhere.
bool WorkerSet::Flush(uint32_t index) {
  Message& batch = workers_[index].batch;
  const bool is_sent = SendMessage(workers_[index].primary_end.get(), batch) == 0;
  const uint32_t count = std::exchange(batch.count, 0);
  if (is_sent) {
    for (uint32_t i = 0; i < count; i++) batch.sockets[i].fd.Reset();
    dispatched_.sockets += count;
    dispatched_.messages++;
    return true;
  }
  Active(index).fetch_sub(static_cast<int32_t>(count), std::memory_order_relaxed);
  for (uint32_t i = 0; i < count; i++) refused_.push_back(std::move(batch.sockets[i]));
  std::erase(candidates_, index);
  return false;
}

}  // namespace edgeproxy
