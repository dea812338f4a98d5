#include "acceptor_loop.h"

#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include <utility>

namespace edgeproxy {

namespace {

constexpr int64_t kMillisecondNs = 1'000'000;

// One round fills at most one message: a longer one would keep its first connection waiting for its last.
constexpr uint32_t kRoundSockets = kMessageDescriptors;

// A place that a worker frees is not announced: it is looked for this often, and only while all are full.
constexpr int64_t kPollNs = 2 * kMillisecondNs;
constexpr int64_t kDescriptorPauseNs = 20 * kMillisecondNs;
// How long stop() tries to place what waits when the workers are full or their channels are.
constexpr int64_t kStopGraceNs = 250 * kMillisecondNs;

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
      workers_(options.region, options.max_connections_per_worker) {}

SystemError AcceptorLoop::Open() { return listeners_.Open(commands_.wake_fd()); }

void AcceptorLoop::Run() {
  while (is_open_) Turn();
  FinishStop();
}

void AcceptorLoop::Turn() {
  if (!held_.empty()) HandOn();
  if (!stop_tickets_.empty()) return StopTurn();
  const int64_t rest_ns = RestNs();
  if (rest_ns == 0) return WaitAndAccept();
  if (WaitForCommands(rest_ns)) RunCommands();
}

int64_t AcceptorLoop::RestNs() {
  if (paused_until_ns_ != 0) {
    const uint64_t now_ns = NowNs();
    if (paused_until_ns_ > now_ns) return static_cast<int64_t>(paused_until_ns_ - now_ns);
    paused_until_ns_ = 0;
  }
  if (held_.empty() && workers_.Room(1) > 0) {
    is_resting_ = false;
    return 0;
  }
  if (!workers_.has_live()) return -1;
  if (!is_resting_) Add(stats_.rested, 1);
  is_resting_ = true;
  return kPollNs;
}

void AcceptorLoop::WaitAndAccept() {
  if (listeners_.Wait(-1)) RunCommands();
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
  const ListenerSet::Outcome outcome = listeners_.Accept(workers_.Room(most), held_);
  const auto accepted = static_cast<uint32_t>(held_.size() - before);
  const uint64_t now_ns = NowNs();
  coalescing_.NoteAccepted(now_ns, accepted);
  Add(stats_.accepted, accepted);
  if (outcome == ListenerSet::Outcome::kPause) {
    paused_until_ns_ = now_ns + kDescriptorPauseNs;
    Add(stats_.paused_for_descriptors, 1);
  }
  return HandOn();
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
      break;
    case AcceptorCommand::Kind::kWorkerUp:
      workers_.Up(command.index, std::move(command.first), std::move(command.second), held_);
      break;
    case AcceptorCommand::Kind::kWorkerDown:
      workers_.Down(command.index, held_);
      HandOn();
      observer_.OnDone(command.ticket);
      break;
    case AcceptorCommand::Kind::kStop:
      if (stop_tickets_.empty()) stop_deadline_ns_ = NowNs() + kStopGraceNs;
      stop_tickets_.push_back(command.ticket);
      break;
  }
}

void AcceptorLoop::StopTurn() {
  listeners_.Wait(0);
  const bool is_drained = !listeners_.has_ready() && held_.empty();
  if (is_drained || NowNs() >= stop_deadline_ns_) return FinishStop();
  if (held_.empty()) AcceptRound();
  if (!held_.empty() || workers_.Room(1) == 0 || paused_until_ns_ != 0) WaitForCommands(kPollNs);
  RunCommands();
}

void AcceptorLoop::FinishStop() {
  listeners_.Clear();
  // A reset, so that these clients see a failure and not an empty answer.
  const linger reset = {1, 0};
  for (const HandedSocket& socket : held_) ::setsockopt(socket.fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  held_.clear();
  for (const uint64_t ticket : stop_tickets_) observer_.OnDone(ticket);
  stop_tickets_.clear();
}

}  // namespace edgeproxy
