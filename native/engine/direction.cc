#include "direction.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace edgeproxy {

namespace {
// Once this much waits for slow readers, each direction may add only a little more.
constexpr uint64_t kPendingComfortBytes = 64 << 20;
constexpr size_t kTightReadBytes = 4 << 10;
// A read of this size, or that fills a smaller buffer, is part of a stream; so many bytes of such reads in a row are one.
constexpr uint32_t kStreamReadBytes = 64 << 10;
constexpr uint32_t kBytesToSplice = 2 * kStreamReadBytes;
constexpr ssize_t kShortSpliceBytes = 16 << 10;
constexpr uint8_t kShortSplicesToCopy = 3;
// One fast stream must not keep the others waiting: about a millisecond's worth of bytes per turn.
constexpr uint64_t kTurnBytes = 2 << 20;

bool WouldBlock(int error) { return error == EAGAIN; }

template <typename Call>
ssize_t Retry(Call call) {
  ssize_t result;
  do {
    result = call();
  } while (result == -1 && errno == EINTR);
  return result;
}
}  // namespace

void Endpoint::TakeEvents(uint32_t events) {
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) has_hung_up = true;
  if ((events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) is_readable = true;
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) is_writable = true;
  if ((events & EPOLLPRI) != 0 && !has_urgent) {
    has_urgent = true;
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
  }
}

PumpOutcome Direction::Pump(Endpoint& source, Endpoint& sink, PumpContext& context, uint64_t& delivered) {
  const uint64_t turn_ends_at = delivered + kTurnBytes;
  while (!is_finished_) {
    Step step = Step::kGoOn;
    if (HasUndelivered()) {
      if (!sink.is_writable) return PumpOutcome::kWaiting;
      step = Flush(sink, context, delivered);
    } else if (has_source_ended_) {
      is_finished_ = true;
    } else if (!source.is_readable || !sink.is_writable) {
      return PumpOutcome::kWaiting;
    } else if (delivered >= turn_ends_at) {
      return PumpOutcome::kAgain;
    } else {
      step = is_splicing_ && !source.has_urgent ? FillPipe(source, context) : Copy(source, sink, context, delivered);
    }
    if (step == Step::kSourceFailed) return PumpOutcome::kSourceFailed;
    if (step == Step::kSinkFailed) return PumpOutcome::kSinkFailed;
  }
  return PumpOutcome::kFinished;
}

void Direction::Reset(PumpContext& context) {
  context.pending_bytes -= pending_bytes_;
  std::free(pending_);
  if (pipe_ != nullptr) context.pipes->Discard(pipe_);
  pending_ = nullptr;
  pending_at_ = pending_bytes_ = 0;
  pipe_ = nullptr;
  pipe_bytes_ = 0;
  streak_ = 0;
  is_splicing_ = has_source_ended_ = is_finished_ = false;
}

size_t Direction::CopyPending(unsigned char* to, size_t most) const {
  const size_t size = std::min<size_t>(most, pending_bytes_);
  if (size != 0) std::memcpy(to, pending_ + pending_at_, size);
  return size;
}

Direction::Step Direction::Flush(Endpoint& sink, PumpContext& context, uint64_t& delivered) {
  return pending_bytes_ != 0 ? FlushPending(sink, context, delivered) : FlushPipe(sink, context, delivered);
}

Direction::Step Direction::FlushPending(Endpoint& sink, PumpContext& context, uint64_t& delivered) {
  const ssize_t sent =
      Retry([&] { return ::send(sink.fd.get(), pending_ + pending_at_, pending_bytes_, MSG_NOSIGNAL); });
  if (sent == -1) {
    if (!WouldBlock(errno)) return Step::kSinkFailed;
    sink.is_writable = false;
    return Step::kBlocked;
  }
  const auto bytes = static_cast<uint32_t>(sent);
  delivered += bytes;
  context.pending_bytes -= bytes;
  pending_at_ += bytes;
  pending_bytes_ -= bytes;
  if (pending_bytes_ != 0) {
    sink.is_writable = false;
    return Step::kBlocked;
  }
  std::free(pending_);
  pending_ = nullptr;
  pending_at_ = 0;
  return Step::kGoOn;
}

// Without SPLICE_F_MORE, which would cork the socket and hold the last bytes back for up to 200 ms.
// There is no MSG_NOSIGNAL for splice: the process has to ignore SIGPIPE, as Node.js does.
Direction::Step Direction::FlushPipe(Endpoint& sink, PumpContext& context, uint64_t& delivered) {
  const ssize_t moved = Retry([&] {
    return ::splice(pipe_->read_end.get(), nullptr, sink.fd.get(), nullptr, pipe_bytes_,
                    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  });
  if (moved <= 0) {
    // The pipe holds bytes, so EAGAIN can only mean that the socket is full.
    if (moved == 0 || !WouldBlock(errno)) return Step::kSinkFailed;
    sink.is_writable = false;
    return Step::kBlocked;
  }
  delivered += static_cast<uint64_t>(moved);
  pipe_bytes_ -= static_cast<uint32_t>(moved);
  if (pipe_bytes_ == 0) {
    context.pipes->Release(pipe_);
    pipe_ = nullptr;
  }
  return Step::kGoOn;
}

Direction::Step Direction::Copy(Endpoint& source, Endpoint& sink, PumpContext& context, uint64_t& delivered) {
  const size_t most = context.pending_bytes < kPendingComfortBytes ? SIZE_MAX : kTightReadBytes;
  const size_t want = std::min<size_t>(most, context.copy_buffer_bytes);
  const ssize_t got = Retry([&] { return ::recv(source.fd.get(), context.copy_buffer, want, 0); });
  if (got == -1) {
    if (!WouldBlock(errno)) return Step::kSourceFailed;
    source.is_readable = false;
    return Step::kBlocked;
  }
  if (got == 0) {
    has_source_ended_ = true;
    return Step::kGoOn;
  }
  const auto size = static_cast<size_t>(got);
  // A short read has emptied the socket: the next bytes bring an edge of their own. After a hang-up none may come.
  if (size < want && !source.has_hung_up && !source.has_urgent) source.is_readable = false;
  if (context.is_splice_enabled) NoteRead(size, context);

  ssize_t sent = Retry([&] { return ::send(sink.fd.get(), context.copy_buffer, size, MSG_NOSIGNAL); });
  if (sent == -1) {
    if (!WouldBlock(errno)) {
      // For another sink, should the caller have one.
      Keep(context.copy_buffer, size, context);
      return Step::kSinkFailed;
    }
    sent = 0;
  }
  delivered += static_cast<uint64_t>(sent);
  const size_t left = size - static_cast<size_t>(sent);
  if (left == 0) return Step::kGoOn;
  sink.is_writable = false;
  return Keep(context.copy_buffer + sent, left, context) ? Step::kBlocked : Step::kSinkFailed;
}

void Direction::NoteRead(size_t size, const PumpContext& context) {
  const uint64_t streak = streak_ + size / kLeastCopyBufferBytes;
  if (size < std::min(context.copy_buffer_bytes, kStreamReadBytes)) {
    streak_ = 0;
  } else if (streak * kLeastCopyBufferBytes < kBytesToSplice) {
    streak_ = static_cast<uint8_t>(streak);
  } else {
    is_splicing_ = true;
    streak_ = 0;
  }
}

Direction::Step Direction::FillPipe(Endpoint& source, PumpContext& context) {
  if (pipe_ == nullptr) pipe_ = context.pipes->Acquire(context.now_ms);
  if (pipe_ == nullptr) {
    context.splice_fallbacks->fetch_add(1, std::memory_order_relaxed);
    StopSplicing();
    return Step::kGoOn;
  }
  const ssize_t got = Retry([&] {
    return ::splice(source.fd.get(), nullptr, pipe_->write_end.get(), nullptr, pipe_->capacity_bytes,
                    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  });
  if (got > 0) {
    pipe_bytes_ = static_cast<uint32_t>(got);
    if (got >= kShortSpliceBytes) {
      streak_ = 0;
    } else if (++streak_ >= kShortSplicesToCopy) {
      StopSplicing();
    }
    return Step::kGoOn;
  }
  const int error = got == 0 ? 0 : errno;
  // The pipe is empty here, so EAGAIN can only mean that the source is.
  context.pipes->Release(pipe_);
  pipe_ = nullptr;
  if (error == 0) {
    // The end, or urgent bytes before it of which no event has told yet: recv knows.
    source.TakeEvents(EPOLLPRI);
    return Step::kGoOn;
  }
  if (!WouldBlock(error)) return Step::kSourceFailed;
  source.is_readable = false;
  return Step::kBlocked;
}

bool Direction::Keep(const char* bytes, size_t size, PumpContext& context) {
  pending_ = static_cast<char*>(std::malloc(size));
  if (pending_ == nullptr) return false;
  std::memcpy(pending_, bytes, size);
  pending_at_ = 0;
  pending_bytes_ = static_cast<uint32_t>(size);
  context.pending_bytes += size;
  return true;
}

}  // namespace edgeproxy
