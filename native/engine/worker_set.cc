#include "worker_set.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
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
  UpdateLive(index);
}

void WorkerSet::Down(uint32_t index, HeldSockets& held) {
  Worker& worker = workers_[index];
  if (!worker.worker_end.is_open()) return;
  TakeBack(index, held);
  // Regions and listeners are sent again to the successor, by whoever sent them.
  worker.put_back.clear();
  worker.is_stalled = worker.is_lost = false;
  worker.primary_end.Reset();
  worker.worker_end.Reset();
  UpdateLive(index);
  // The process is gone and nothing is assigned outside a dispatch: nobody else writes these words now.
  WorkerBlock& block = region_.worker(index);
  block.active.store(0, std::memory_order_relaxed);
  for (auto& active : block.listener_active) active.store(0, std::memory_order_relaxed);
}

void WorkerSet::Stall(uint32_t index, HeldSockets& held) {
  if (!workers_[index].worker_end.is_open()) return;
  workers_[index].is_stalled = true;
  UpdateLive(index);
  // The worker may wake up and read at any moment: each message goes to one of the two.
  TakeBack(index, held);
}

WorkerSet::Settled WorkerSet::Settle(uint32_t index) {
  Worker& worker = workers_[index];
  size_t sent = 0;
  while (!worker.is_lost && sent < worker.put_back.size()) {
    const int error = SendMessage(worker.primary_end.get(), worker.put_back[sent]);
    if (error == EAGAIN) break;
    // It would be the same for ever.
    worker.is_lost = error != 0;
    sent++;
  }
  worker.put_back.erase(worker.put_back.begin(), worker.put_back.begin() + static_cast<ptrdiff_t>(sent));
  if (worker.is_lost) worker.put_back.clear();
  UpdateLive(index);
  if (worker.is_lost) return Settled::kLost;
  return worker.put_back.empty() ? Settled::kAll : Settled::kNotYet;
}

void WorkerSet::Resume(uint32_t index) {
  workers_[index].is_stalled = false;
  UpdateLive(index);
}

void WorkerSet::UpdateLive(uint32_t index) {
  const Worker& worker = workers_[index];
  const bool is_live = worker.worker_end.is_open() && !worker.is_stalled && !worker.is_lost && worker.put_back.empty();
  const auto at = std::find(live_.begin(), live_.end(), index);
  if (is_live && at == live_.end()) live_.push_back(index);
  if (!is_live && at != live_.end()) live_.erase(at);
}

void WorkerSet::TakeBack(uint32_t index, HeldSockets& held) {
  Worker& worker = workers_[index];
  Message message;
  std::vector<Message> orders;
  for (;;) {
    const int error = ReceiveMessage(worker.worker_end.get(), message);
    // No message of this process's is of that kind, and nobody else can send here; whatever it was, it counts nowhere.
    if (error == EBADMSG) continue;
    if (error != 0) break;
    if (message.kind != MessageKind::kConnections) {
      // Without its descriptor it cannot be sent again.
      if (message.is_truncated) worker.is_lost = true;
      else orders.push_back(std::move(message));
      continue;
    }
    for (uint32_t i = 0; i < message.count; i++) {
      HandedSocket& socket = message.sockets[i];
      Count(index, socket, -1);
      if (!socket.fd.is_open()) {
        lost_++;
        continue;
      }
      recovered_++;
      held.push_back(std::move(socket));
    }
  }
  // What is left from an earlier time was behind these.
  worker.put_back.insert(worker.put_back.begin(), std::make_move_iterator(orders.begin()), std::make_move_iterator(orders.end()));
}

void WorkerSet::Count(uint32_t index, const HandedSocket& socket, int32_t change) const {
  WorkerBlock& block = region_.worker(index);
  block.active.fetch_add(change, std::memory_order_relaxed);
  if (socket.listener < kMaxListeners) block.listener_active[socket.listener].fetch_add(change, std::memory_order_relaxed);
}

uint32_t WorkerSet::Room(uint32_t limit) const {
  int64_t all = 0;
  int64_t taking = 0;
  bool is_any_taking = false;
  for (const uint32_t index : live_) {
    const int32_t room = std::max(0, max_connections_ - Active(index).load(std::memory_order_relaxed));
    all += room;
    if (IsShedding(index)) continue;
    is_any_taking = true;
    taking += room;
  }
  return static_cast<uint32_t>(std::min<int64_t>(is_any_taking ? taking : all, limit));
}

WorkerSet::Dispatched WorkerSet::Dispatch(HeldSockets& held) {
  dispatched_ = {};
  ChooseCandidates();
  // Each pass that is refused takes at least one candidate out, so this ends.
  while (!held.empty() && Pass(held)) continue;
  return dispatched_;
}

void WorkerSet::ChooseCandidates() {
  candidates_.clear();
  for (const uint32_t index : live_) {
    if (!IsShedding(index)) candidates_.push_back(index);
  }
  if (candidates_.empty()) candidates_ = live_;
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
    Count(chosen, socket, 1);
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
  for (uint32_t i = 0; i < count; i++) {
    Count(index, batch.sockets[i], -1);
    refused_.push_back(std::move(batch.sockets[i]));
  }
  std::erase(candidates_, index);
  return false;
}

}  // namespace edgeproxy
