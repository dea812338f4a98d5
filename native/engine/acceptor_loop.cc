#include "acceptor_loop.h"

#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <utility>

namespace edgeproxy {

namespace {

constexpr int64_t kMillisecondNs = 1'000'000;

// One round fills at most one message: a longer one would keep its first connection waiting for its last.
constexpr uint32_t kRoundSockets = kMessageDescriptors;

// A place that a worker frees is not announced: it is looked for this often, and only while all are full.
constexpr int kPollMs = 2;
constexpr int64_t kPollNs = kPollMs * kMillisecondNs;
constexpr int64_t kDescriptorPauseNs = 20 * kMillisecondNs;
// How long stop() tries to place what waits when the workers are full or their channels are.
constexpr int64_t kStopGraceNs = 250 * kMillisecondNs;
// How much longer where somebody has been accepted and only the channels are full: on a busy machine a worker may not run
// for a while, and a reset would tell that client that the proxy has failed.
constexpr uint64_t kHandOnGraceNs = 5'000 * uint64_t{kMillisecondNs};

uint64_t NowNs() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

void Add(std::atomic<uint64_t>& counter, uint64_t count) { counter.fetch_add(count, std::memory_order_relaxed); }

}  // namespace

AcceptorLoop::AcceptorLoop(const AcceptorOptions& options, AcceptorQueue& commands, AcceptorObserver& observer,
                           AcceptorStats& stats)
    : options_(options),
      commands_(commands),
      observer_(observer),
      stats_(stats),
      workers_(options.region, options.max_connections_per_worker),
      room_(options.region, {}),
      gate_(options.region) {}

SystemError AcceptorLoop::Open() { return listeners_.Open(commands_.wake_fd()); }

void AcceptorLoop::Run() {
  while (is_open_) Turn();
  for (const Stall& stall : stalls_) observer_.OnDone(stall.ticket);
  stalls_.clear();
  FinishStop();
}

void AcceptorLoop::Turn() {
  if (!stalls_.empty()) SettleStalls();
  if (!held_.empty()) HandOn();
  if (!stop_tickets_.empty()) return StopTurn();
  const int64_t rest_ns = RestNs();
  if (rest_ns == 0) return WaitAndAccept();
  if (WaitForCommands(rest_ns)) RunCommands();
}

uint32_t AcceptorLoop::Room(uint32_t limit) const {
  const auto room = static_cast<uint32_t>(std::clamp<int64_t>(room_.InAll(), 0, limit));
  return workers_.Room(room);
}

int64_t AcceptorLoop::RestNs() {
  if (paused_until_ns_ != 0) {
    const uint64_t now_ns = NowNs();
    if (paused_until_ns_ > now_ns) return static_cast<int64_t>(paused_until_ns_ - now_ns);
    paused_until_ns_ = 0;
  }
  if (held_.empty() && Room(1) > 0) {
    is_resting_ = false;
    return 0;
  }
  if (!workers_.has_live()) return stalls_.empty() ? -1 : kPollNs;
  if (!is_resting_) Add(stats_.rested, 1);
  is_resting_ = true;
  return kPollNs;
}

void AcceptorLoop::WaitAndAccept() {
  const bool has_full = listeners_.Rearm(room_);
  if (listeners_.Wait(stalls_.empty() && !has_full ? -1 : kPollMs)) RunCommands();
  if (!listeners_.has_ready()) return;
  if (!coalescing_.ShouldGather(NowNs())) {
    AcceptRound();
    return;
  }
  WaitForCommands(int64_t{options_.coalesce_micros} * 1000);
  const WorkerSet::Dispatched dispatched = AcceptRound();
  coalescing_.NoteGathered(dispatched.sockets, dispatched.messages);
}

WorkerSet::Dispatched AcceptorLoop::AcceptRound() {
  const size_t before = held_.size();
  // Idle, the first client is not kept waiting for the question whether there is a second one.
  const uint32_t most = coalescing_.IsBusy(NowNs()) ? kRoundSockets : 1;
  const ListenerSet::Outcome outcome = listeners_.Accept(Room(most), room_, gate_, {held_, refused_});
  ReportRetired();
  const auto accepted = static_cast<uint32_t>(held_.size() - before);
  const uint64_t now_ns = NowNs();
  coalescing_.NoteAccepted(now_ns, accepted);
  Add(stats_.accepted, accepted);
  if (outcome == ListenerSet::Outcome::kPause) {
    paused_until_ns_ = now_ns + kDescriptorPauseNs;
    Add(stats_.paused_for_descriptors, 1);
  }
  // Those who may come in go first.
  const WorkerSet::Dispatched dispatched = HandOn();
  ResetRefused();
  return dispatched;
}

// Counted before they can know of it. No other thread writes that line, so a load and a store are an increment.
void AcceptorLoop::ResetRefused() {
  if (refused_.empty()) return;
  std::atomic<uint64_t>& total = options_.region.acceptor().rate_limited;
  total.store(total.load(std::memory_order_relaxed) + refused_.size(), std::memory_order_relaxed);
  Add(stats_.refused, refused_.size());
  for (size_t i = 0; access_.IsOn() && i < refused_.size(); i++) {
    access_.WriteRefusal({refused_[i].peer, refused_[i].listener, false}, RejectReason::kRateLimited, NowNs() / 1000);
  }
  // Closing resets: see reset_on_close.h.
  refused_.clear();
}

WorkerSet::Dispatched AcceptorLoop::HandOn() {
  const WorkerSet::Dispatched dispatched = workers_.Dispatch(held_);
  Add(stats_.handed, dispatched.sockets);
  PublishTotals();
  return dispatched;
}

void AcceptorLoop::PublishTotals() {
  stats_.recovered.store(workers_.recovered(), std::memory_order_relaxed);
  stats_.lost.store(workers_.lost(), std::memory_order_relaxed);
  stats_.broken_listeners.store(listeners_.broken(), std::memory_order_relaxed);
}

void AcceptorLoop::ReportRetired() {
  std::vector<uint64_t> done;
  listeners_.TakeRetired(done);
  for (const uint64_t ticket : done) observer_.OnDone(ticket);
}

// Whether commands wait.
bool AcceptorLoop::WaitForCommands(int64_t timeout_ns) {
  pollfd wake = {commands_.wake_fd(), POLLIN, 0};
  const timespec timeout = {timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
  return ::ppoll(&wake, 1, timeout_ns < 0 ? nullptr : &timeout, nullptr) == 1;
}

void AcceptorLoop::RunCommands() {
  is_open_ = commands_.TakeAll(taken_);
  for (AcceptorCommand& command : taken_) Execute(command);
  taken_.clear();
}

void AcceptorLoop::Execute(AcceptorCommand& command) {
  switch (command.kind) {
    case AcceptorCommand::Kind::kAddListener:
      listeners_.Add(std::move(command.first), command.index, command.key);
      PublishTotals();
      break;
    case AcceptorCommand::Kind::kRemoveListener:
      listeners_.Remove(command.key);
      ReportRetired();
      break;
    case AcceptorCommand::Kind::kRetireListener:
      listeners_.Retire(command.key, command.ticket);
      ReportRetired();
      break;
    case AcceptorCommand::Kind::kConfigure:
      workers_.LimitConnections(static_cast<int32_t>(command.index));
      room_.Configure(command.limits);
      gate_.Configure(command.rate_rule);
      break;
    case AcceptorCommand::Kind::kUseAccessLog:
      access_.Use(command.access);
      break;
    case AcceptorCommand::Kind::kWorkerUp:
      workers_.Up(command.index, std::move(command.first), std::move(command.second), held_);
      break;
    case AcceptorCommand::Kind::kWorkerDown:
      workers_.Down(command.index, held_);
      HandOn();
      observer_.OnDone(command.ticket);
      break;
    case AcceptorCommand::Kind::kWorkerStalled:
      workers_.Stall(command.index, held_);
      stalls_.push_back({command.index, command.ticket});
      HandOn();
      SettleStalls();
      break;
    case AcceptorCommand::Kind::kWorkerResumed:
      workers_.Resume(command.index);
      break;
    case AcceptorCommand::Kind::kStop:
      if (stop_tickets_.empty()) stop_deadline_ns_ = NowNs() + kStopGraceNs;
      stop_tickets_.push_back(command.ticket);
      break;
  }
}

void AcceptorLoop::SettleStalls() {
  std::erase_if(stalls_, [this](const Stall& stall) {
    const WorkerSet::Settled settled = workers_.Settle(stall.index);
    if (settled == WorkerSet::Settled::kNotYet) return false;
    if (settled == WorkerSet::Settled::kLost) observer_.OnLost(stall.ticket);
    else observer_.OnDone(stall.ticket);
    return true;
  });
}

void AcceptorLoop::StopTurn() {
  const bool has_full = listeners_.Rearm(room_);
  listeners_.Wait(0);
  const uint64_t now_ns = NowNs();
  const uint64_t patience_ns = !held_.empty() && workers_.has_live() ? kHandOnGraceNs : 0;
  const bool is_drained = !listeners_.has_ready() && !has_full && held_.empty();
  if (is_drained || now_ns >= stop_deadline_ns_ + patience_ns) return FinishStop();
  if (paused_until_ns_ != 0 && now_ns >= paused_until_ns_) paused_until_ns_ = 0;
  if (held_.empty() && paused_until_ns_ == 0) AcceptRound();
  if (!held_.empty() || has_full || Room(1) == 0 || paused_until_ns_ != 0) WaitForCommands(kPollNs);
  RunCommands();
}

void AcceptorLoop::FinishStop() {
  listeners_.Clear();
  ReportRetired();
  // Resets these clients (see reset_on_close.h), so that they see a failure and not an empty answer.
  held_.clear();
  for (const uint64_t ticket : stop_tickets_) observer_.OnDone(ticket);
  stop_tickets_.clear();
}

}  // namespace edgeproxy
