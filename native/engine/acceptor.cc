#include "acceptor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <utility>

namespace edgeproxy {

namespace {

constexpr size_t kMaxCommands = 1024;

SystemError Duplicate(int fd, UniqueFd& copy) {
  copy.Reset(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  return copy.is_open() ? SystemError{} : SystemError::Last("fcntl");
}

// Only a listening socket, and made non-blocking: otherwise the thread would block in accept4 where a client vanishes
// between epoll_wait and there.
SystemError PrepareListener(int fd) {
  int is_listening = 0;
  socklen_t length = sizeof is_listening;
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &length) == -1) return SystemError::Last("getsockopt");
  if (is_listening == 0) return {EINVAL, "accept4"};
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags == -1 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1) return SystemError::Last("fcntl");
  return {};
}

// A thread inherits the mask of its creator: signals stay with the threads that expect them.
int CreateWithoutSignals(pthread_t& thread, void* (*run)(void*), void* argument) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = ::pthread_create(&thread, nullptr, run, argument);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return error;
}

}  // namespace

Acceptor::Running::Running(const AcceptorOptions& options, AcceptorObserver& observer, AcceptorStats& stats)
    : commands(kMaxCommands), loop(options, commands, observer, stats) {}

Acceptor::Acceptor(const AcceptorOptions& options, AcceptorObserver& observer)
    : options_(options), observer_(observer) {}

SystemError Acceptor::Start() {
  auto running = std::make_unique<Running>(options_, observer_, stats_);
  SystemError error = running->commands.Open();
  if (!error.is_set()) error = running->loop.Open();
  if (error.is_set()) return error;
  const int created = CreateWithoutSignals(running->thread, RunThread, &running->loop);
  if (created != 0) return {created, "pthread_create"};
  ::pthread_setname_np(running->thread, "edge-acceptor");
  running_ = std::move(running);
  return {};
}

void* Acceptor::RunThread(void* loop) {
  // The default slack of 50 µs would be a third of the time that connections are given to gather.
  ::prctl(PR_SET_TIMERSLACK, 1);
  static_cast<AcceptorLoop*>(loop)->Run();
  return nullptr;
}

SystemError Acceptor::AddListener(uint32_t id, int fd) {
  AcceptorCommand command{.kind = AcceptorCommand::Kind::kAddListener, .index = id, .key = fd};
  SystemError error = PrepareListener(fd);
  if (!error.is_set()) error = Duplicate(fd, command.first);
  return error.is_set() ? error : Push(std::move(command));
}

SystemError Acceptor::RemoveListener(int fd) {
  return Push({.kind = AcceptorCommand::Kind::kRemoveListener, .key = fd});
}

SystemError Acceptor::RetireListener(int fd, uint64_t ticket) {
  return Push({.kind = AcceptorCommand::Kind::kRetireListener, .key = fd, .ticket = ticket});
}

SystemError Acceptor::Configure(int32_t max_connections_per_worker, ConnectionLimits limits, RateRule rate_rule) {
  AcceptorCommand command{.kind = AcceptorCommand::Kind::kConfigure};
  command.index = static_cast<uint32_t>(max_connections_per_worker);
  command.limits = limits;
  command.rate_rule = rate_rule;
  return Push(std::move(command));
}

SystemError Acceptor::UseAccessLog(const AccessRing& ring) {
  return Push({.kind = AcceptorCommand::Kind::kUseAccessLog, .access = ring});
}

SystemError Acceptor::WorkerUp(uint32_t index, int primary_end, int worker_end) {
  AcceptorCommand command{.kind = AcceptorCommand::Kind::kWorkerUp, .index = index};
  SystemError error = Duplicate(primary_end, command.first);
  if (!error.is_set()) error = Duplicate(worker_end, command.second);
  return error.is_set() ? error : Push(std::move(command));
}

SystemError Acceptor::WorkerDown(uint32_t index, uint64_t ticket) {
  return Push({.kind = AcceptorCommand::Kind::kWorkerDown, .index = index, .ticket = ticket});
}

SystemError Acceptor::WorkerStalled(uint32_t index, uint64_t ticket) {
  return Push({.kind = AcceptorCommand::Kind::kWorkerStalled, .index = index, .ticket = ticket});
}

SystemError Acceptor::WorkerResumed(uint32_t index) {
  return Push({.kind = AcceptorCommand::Kind::kWorkerResumed, .index = index});
}

SystemError Acceptor::Stop(uint64_t ticket) {
  return Push({.kind = AcceptorCommand::Kind::kStop, .ticket = ticket});
}

SystemError Acceptor::Push(AcceptorCommand command) {
  const int error = running_ ? running_->commands.Push(std::move(command)) : ESHUTDOWN;
  return error == 0 ? SystemError{} : SystemError{error, "acceptor"};
}

void Acceptor::Close() {
  if (!running_) return;
  running_->commands.Close();
  ::pthread_join(running_->thread, nullptr);
  running_.reset();
}

}  // namespace edgeproxy
