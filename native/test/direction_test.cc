// One direction between real TCP sockets, told of readiness by real edges only: an edge that it forgets is a hang here.
#include "direction.h"

#include <signal.h>
#include <sys/epoll.h>

#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "sockets.h"

namespace edgeproxy::test {

namespace {

// Byte at an offset of the stream: not periodic in any buffer's size.
char ByteAt(uint64_t offset) { return static_cast<char>((offset * 0x9e3779b97f4a7c15u) >> 56); }

void MakePair(UniqueFd& outside, UniqueFd& inside) {
  uint16_t port = 0;
  const UniqueFd listener = ListenOnLoopback(port);
  outside = ConnectClient(port);
  CHECK(IsReadable(listener.get(), kWaitMs));
  inside.Reset(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  CHECK(inside.is_open());
}

void SetOption(const UniqueFd& fd, int option, int value) {
  CHECK_EQ(::setsockopt(fd.get(), SOL_SOCKET, option, &value, sizeof value), 0);
}

void ResetOnClose(const UniqueFd& fd) {
  const linger reset{1, 0};
  CHECK_EQ(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
}

struct Shape {
  uint64_t seed;
  bool is_splice_enabled = true;
  uint32_t max_pipes = 4;
  int sink_buffer_bytes = 0;  // 0: the kernel's choice
  size_t most_written = 256 << 10;
  size_t most_read = 256 << 10;
  uint32_t copy_buffer_bytes = kDefaultCopyBufferBytes;
};

// Writer -> source -> Direction -> sink -> reader.
class DirectionRig {
 public:
  explicit DirectionRig(const Shape& shape)
      : shape_(shape),
        random_(shape.seed),
        pipes_(shape.max_pipes, &gauge_),
        copy_buffer_(std::make_unique<char[]>(shape.copy_buffer_bytes)),
        scratch_(1 << 20),
        context{copy_buffer_.get(), shape.copy_buffer_bytes, &pipes_, shape.is_splice_enabled, 0, &fallbacks, 0} {
    // As Node.js does: splice(2) has no MSG_NOSIGNAL.
    CHECK(::signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    MakePair(writer, source_.fd);
    MakePair(reader, sink_.fd);
    if (shape.sink_buffer_bytes != 0) {
      SetOption(sink_.fd, SO_SNDBUF, shape.sink_buffer_bytes);
      SetOption(reader, SO_RCVBUF, shape.sink_buffer_bytes);
    }
    epoll_.Reset(::epoll_create1(EPOLL_CLOEXEC));
    for (Endpoint* endpoint : {&source_, &sink_}) {
      epoll_event event{};
      event.events = kEndpointEvents;
      event.data.ptr = endpoint;
      CHECK_EQ(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, endpoint->fd.get(), &event), 0);
    }
  }
  ~DirectionRig() { direction.Reset(context); }

  void TakeEvents(int wait_ms) {
    epoll_event events[2];
    const int ready = ::epoll_wait(epoll_.get(), events, 2, wait_ms);
    for (int i = 0; i < ready; i++) {
      static_cast<Endpoint*>(events[i].data.ptr)->TakeEvents(events[i].events);
    }
  }

  PumpOutcome PumpOnce() {
    context.now_ms++;
    return direction.Pump(source_, sink_, context, delivered);
  }
  PumpOutcome Pump() {
    PumpOutcome outcome = PumpOnce();
    while (outcome == PumpOutcome::kAgain) outcome = PumpOnce();
    return outcome;
  }
  PumpOutcome PumpUntilOver() {
    PumpOutcome outcome = Pump();
    while (outcome == PumpOutcome::kWaiting) {
      TakeEvents(kWaitMs);
      outcome = Pump();
    }
    return outcome;
  }

  // Transfers up to `total` bytes of the stream, the writer's end with them.
  void FinishAfter(uint64_t total) {
    while (written < total) Transfer(written + std::min<uint64_t>(total - written, 1 << 20));
    CHECK_EQ(::shutdown(writer.get(), SHUT_WR), 0);
    PumpOutcome outcome = Pump();
    while (outcome == PumpOutcome::kWaiting) {
      if (was_read < total) Read(1 << 20);
      TakeEvents(was_read < total ? 10 : kWaitMs);
      outcome = Pump();
    }
    CHECK(outcome == PumpOutcome::kFinished);
    while (was_read < total) CHECK_OP(Read(1 << 20), >=, 0);
    CHECK_EQ(delivered, total);
  }

  // The next bytes of the stream, at most as many as fit; returns how many.
  size_t Write(size_t bytes, int flags = 0) {
    for (size_t i = 0; i < bytes; i++) scratch_[i] = ByteAt(written + i);
    const ssize_t sent = ::send(writer.get(), scratch_.data(), bytes, MSG_DONTWAIT | MSG_NOSIGNAL | flags);
    if (sent == -1) return 0;
    written += static_cast<size_t>(sent);
    return static_cast<size_t>(sent);
  }

  // Reads and checks at most so many bytes; -1 at the end.
  ssize_t Read(size_t bytes) {
    const ssize_t got = ::recv(reader.get(), scratch_.data(), bytes, MSG_DONTWAIT);
    if (got == 0) return -1;
    if (got == -1) {
      CHECK_EQ(errno, EAGAIN);
      return 0;
    }
    for (ssize_t i = 0; i < got; i++) CHECK_EQ(scratch_[static_cast<size_t>(i)], ByteAt(was_read + static_cast<size_t>(i)));
    was_read += static_cast<size_t>(got);
    return got;
  }

  // The failed sink and its reader make room for others.
  void ReplaceSink() {
    MakePair(reader, sink_.fd);
    sink_.is_writable = true;
  }

  // Writes, reads and pumps in random portions and order until `total` bytes are through.
  void Transfer(uint64_t total) {
    while (was_read < total) {
      const uint64_t before = written + was_read + delivered;
      if (random_() % 2 == 0 && written < total) Write(std::min<size_t>(Portion(shape_.most_written), total - written));
      if (random_() % 2 == 0) Read(Portion(shape_.most_read));
      if (random_() % 2 == 0) TakeEvents(0);
      if (random_() % 2 == 0) Pump();
      if (written + was_read + delivered == before) Nudge(total);
    }
    CHECK_EQ(delivered, total);
    CHECK_EQ(context.pending_bytes, 0);
  }

  Direction direction;
  UniqueFd writer;
  UniqueFd reader;
  uint64_t written = 0;
  uint64_t was_read = 0;
  uint64_t delivered = 0;
  std::atomic<uint64_t> fallbacks{0};

 private:
  size_t Portion(size_t most) { return 1 + random_() % (random_() % 3 == 0 ? most : std::min<size_t>(most, 100)); }

  // Nothing moved by chance: whatever can move must do so now.
  void Nudge(uint64_t total) {
    const int64_t wait_ms = written > was_read ? 1000 : 0;
    while (Read(1 << 20) > 0) {
    }
    if (written == was_read && written < total) {
      Write(1);
      return;
    }
    if (written == was_read) return;
    TakeEvents(0);
    Pump();
    if (Read(1 << 20) > 0) return;
    TakeEvents(static_cast<int>(wait_ms));
    Pump();
    CHECK(IsReadable(reader.get(), kWaitMs));
  }

  const Shape shape_;
  std::mt19937_64 random_;
  std::atomic<int32_t> gauge_{0};
  PipePool pipes_;
  std::unique_ptr<char[]> copy_buffer_;
  std::vector<char> scratch_;
  Endpoint source_;
  Endpoint sink_;
  UniqueFd epoll_;

 public:
  PumpContext context;
};

}  // namespace

TEST(MovesEverything, "every byte arrives once and in order, whatever the portions, buffers and pipes") {
  uint64_t seed = 1;
  for (const bool is_splice_enabled : {false, true}) {
    for (const uint32_t max_pipes : {0u, 4u}) {
      for (const int sink_buffer_bytes : {0, 64 << 10, 512 << 10}) {
        for (const size_t most_written : {size_t{100}, size_t{1} << 20}) {
          for (const size_t most_read : {size_t{1} << 10, size_t{1} << 20}) {
            DirectionRig rig({seed++, is_splice_enabled, max_pipes, sink_buffer_bytes, most_written, most_read});
            rig.Transfer(most_written == 100 || most_read == 1 << 10 ? 200'000 : 4 << 20);
          }
        }
      }
    }
  }
}

// recv(2) stops at the mark of urgent data and splice(2) never passes it: what looks like an empty socket, or with a FIN
// like the end of the stream, is neither.
TEST(PassesUrgentData, "urgent bytes arrive in their place, and so does what comes after them, also before an end") {
  for (const bool is_splice_enabled : {false, true}) {
    for (const bool has_streamed : {false, true}) {
      DirectionRig rig({.seed = 1, .is_splice_enabled = is_splice_enabled});
      if (has_streamed) rig.Transfer(8 << 20);
      uint64_t total = rig.was_read;
      for (int round = 0; round < 5; round++) {
        for (const size_t bytes : {300'000, 1, 5}) total += rig.Write(bytes, bytes == 1 ? MSG_OOB : 0);
        rig.Transfer(total);
      }
      for (const size_t bytes : {300'000, 1, 5}) rig.Write(bytes, bytes == 1 ? MSG_OOB : 0);
      rig.FinishAfter(rig.written);
    }
  }
}

TEST(PassesUrgentDataUnannounced, "urgent bytes and an end that come between two looks at the events are no end in their midst") {
  DirectionRig rig({.seed = 2});
  rig.Transfer(8 << 20);
  rig.Write(100'000);
  rig.TakeEvents(kWaitMs);
  for (const size_t bytes : {100, 1, 100}) rig.Write(bytes, bytes == 1 ? MSG_OOB : 0);
  const uint64_t total = rig.written;
  CHECK_EQ(::shutdown(rig.writer.get(), SHUT_WR), 0);
  CHECK(rig.Pump() == PumpOutcome::kFinished);
  CHECK_EQ(rig.delivered, total);
  while (rig.was_read < total) CHECK_OP(rig.Read(1 << 20), >=, 0);
}

TEST(ForwardsTheEnd, "the end comes after the last byte, and is reported once") {
  for (const bool is_splice_enabled : {false, true}) {
    for (const uint64_t total : {uint64_t{0}, uint64_t{1}, uint64_t{64 << 10}, uint64_t{9'000'001}}) {
      DirectionRig rig({.seed = total, .is_splice_enabled = is_splice_enabled});
      rig.FinishAfter(total);
      CHECK(rig.direction.is_finished());
      CHECK(rig.Pump() == PumpOutcome::kFinished);
    }
  }
}

TEST(ReportsTheSource, "a reset of the source is its failure, with bytes on their way or without") {
  for (const bool is_splice_enabled : {false, true}) {
    for (const uint64_t total : {uint64_t{0}, uint64_t{8 << 20}}) {
      DirectionRig rig({.seed = 3, .is_splice_enabled = is_splice_enabled});
      rig.Transfer(total);
      ResetOnClose(rig.writer);
      rig.writer.Reset();
      CHECK(rig.PumpUntilOver() == PumpOutcome::kSourceFailed);
    }
  }
}

TEST(ReportsTheSink, "a reset of the sink is its failure, also while bytes wait for it, and waiting bytes are given back") {
  for (const bool is_splice_enabled : {false, true}) {
    DirectionRig rig({.seed = 4, .is_splice_enabled = is_splice_enabled});
    rig.Transfer(8 << 20);
    // Until all is full: the reader does not read.
    size_t stuck = 0;
    while (stuck < 100) {
      stuck = rig.Write(1 << 20) == 0 ? stuck + 1 : 0;
      rig.TakeEvents(1);
      CHECK(rig.Pump() == PumpOutcome::kWaiting);
    }
    ResetOnClose(rig.reader);
    rig.reader.Reset();
    CHECK(rig.PumpUntilOver() == PumpOutcome::kSinkFailed);
    rig.direction.Reset(rig.context);
    CHECK_EQ(rig.context.pending_bytes, 0);
    CHECK(!rig.direction.is_finished());
  }
}

TEST(CountsFallbacks, "without a pipe a stream is copied, and each time that one was wanted is counted") {
  DirectionRig none({.seed = 5, .max_pipes = 0});
  none.Transfer(8 << 20);
  CHECK_OP(none.fallbacks, >, 0);
  DirectionRig enough({.seed = 5});
  enough.Transfer(8 << 20);
  CHECK_EQ(enough.fallbacks, 0);
}

TEST(MovesEverythingWithAnyBuffer, "also through the smallest and through a large copy buffer") {
  for (const uint32_t copy_buffer_bytes : {1u << 10, 4u << 10, 5000u, 1u << 20}) {
    for (const bool is_splice_enabled : {false, true}) {
      DirectionRig rig({.seed = copy_buffer_bytes,
                        .is_splice_enabled = is_splice_enabled,
                        .most_written = 1 << 20,
                        .copy_buffer_bytes = copy_buffer_bytes});
      rig.Transfer(4 << 20);
    }
  }
}

// Memory beyond the buffer is the sanitizer's to find.
TEST(ReadsNoMoreThanItsBuffer, "a buffer smaller than what is read where much waits for slow sinks is not exceeded") {
  DirectionRig rig({.seed = 3, .is_splice_enabled = false, .copy_buffer_bytes = 1 << 10});
  rig.context.pending_bytes = 64 << 20;
  CHECK_EQ(rig.Write(3000), 3000);
  while (rig.delivered < 3000) {
    rig.TakeEvents(kWaitMs);
    rig.Pump();
  }
  rig.context.pending_bytes = 0;
}

// Without pipes each wish for one is counted: whether a direction takes its bytes for a stream shows there.
TEST(SplicesStreamsAlone, "a stream is spliced whatever the size of the buffer, a message of several small buffers is not") {
  for (const uint32_t copy_buffer_bytes : {1u << 10, 4u << 10, 64u << 10, 1u << 20}) {
    DirectionRig rig({.seed = 7, .max_pipes = 0, .most_written = 1 << 20, .copy_buffer_bytes = copy_buffer_bytes});
    for (int message = 1; message <= 20; message++) {
      CHECK_EQ(rig.Write(20'000), 20'000);
      rig.Transfer(static_cast<uint64_t>(message) * 20'000);
      CHECK_EQ(rig.fallbacks, 0);
    }
    rig.Transfer(16 << 20);
    CHECK_OP(rig.fallbacks, >, 0);
  }
}

TEST(KeepsWhatWasNotTaken, "bytes that were read for a sink that has failed are still there for another one") {
  DirectionRig rig({.seed = 9});
  ResetOnClose(rig.reader);
  rig.reader.Reset();
  CHECK_EQ(rig.Write(1000), 1000);
  CHECK(rig.PumpUntilOver() == PumpOutcome::kSinkFailed);
  CHECK(rig.direction.HasUndelivered());
  rig.ReplaceSink();
  CHECK(rig.Pump() == PumpOutcome::kWaiting);
  CHECK(IsReadable(rig.reader.get(), kWaitMs));
  CHECK_EQ(rig.Read(1 << 20), 1000);
  CHECK_EQ(rig.context.pending_bytes, 0);
}

TEST(TakesTurns, "a fast stream yields after its turn, and goes on without an edge") {
  DirectionRig rig({.seed = 6});
  int turns = 0;
  while (turns < 3) {
    while (rig.Write(1 << 20) > 0) {
    }
    rig.TakeEvents(0);
    const uint64_t before = rig.delivered;
    const PumpOutcome outcome = rig.PumpOnce();
    // A turn ends with the step that exceeds it, at most a pipe's worth.
    CHECK_OP(rig.delivered - before, <=, 3 << 20);
    if (outcome == PumpOutcome::kAgain) {
      turns++;
      CHECK(rig.PumpOnce() != PumpOutcome::kFinished);
    }
    while (rig.Read(1 << 20) > 0) {
    }
    CHECK_OP(rig.delivered, <, uint64_t{4} << 30);
  }
}

}  // namespace edgeproxy::test
