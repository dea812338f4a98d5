#include "pipe_pool.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <cerrno>

#include "check.h"

namespace edgeproxy::test {

namespace {

constexpr uint64_t kNow = 1'000'000;

// Runs `body` while no further descriptor can be opened.
template <typename Body>
void WithoutDescriptors(Body body) {
  rlimit before;
  CHECK_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  CHECK_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  body();
  CHECK_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

}  // namespace

TEST(MakesUsablePipes, "a pipe is empty, non-blocking, closed on exec, and its capacity is the kernel's") {
  PipePool pool(1, nullptr);
  Pipe* pipe = pool.Acquire(kNow);
  CHECK(pipe != nullptr);
  for (const int fd : {pipe->read_end.get(), pipe->write_end.get()}) {
    CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    CHECK_EQ(::fcntl(fd, F_GETFD), FD_CLOEXEC);
  }
  CHECK_EQ(pipe->capacity_bytes, ::fcntl(pipe->read_end.get(), F_GETPIPE_SZ));
  CHECK_OP(pipe->capacity_bytes, >=, 64 << 10);
  pool.Release(pipe);
}

TEST(KeepsItsBudget, "no more pipes than the budget exist, and one that is given back is used again") {
  std::atomic<int32_t> gauge{0};
  PipePool pool(2, &gauge);
  Pipe* first = pool.Acquire(kNow);
  Pipe* second = pool.Acquire(kNow);
  CHECK(first != nullptr && second != nullptr && first != second);
  CHECK(pool.Acquire(kNow) == nullptr);
  CHECK_EQ(gauge, 2);
  pool.Release(first);
  CHECK_EQ(gauge, 2);
  CHECK(pool.Acquire(kNow) == first);
  pool.Discard(second);
  CHECK_EQ(gauge, 1);
  Pipe* third = pool.Acquire(kNow);
  CHECK(third != nullptr);
  CHECK_EQ(gauge, 2);
  pool.Release(first);
  pool.Discard(third);
  CHECK_EQ(gauge, 1);
}

TEST(AllowsNone, "a budget of zero makes no pipe") {
  std::atomic<int32_t> gauge{0};
  PipePool pool(0, &gauge);
  CHECK(pool.Acquire(kNow) == nullptr);
  CHECK_EQ(gauge, 0);
}

TEST(DiscardsBytes, "a pipe that still holds bytes is closed, and the next one is empty") {
  PipePool pool(1, nullptr);
  Pipe* pipe = pool.Acquire(kNow);
  CHECK_EQ(::write(pipe->write_end.get(), "left", 4), 4);
  pool.Discard(pipe);
  pipe = pool.Acquire(kNow);
  char byte;
  CHECK_EQ(::read(pipe->read_end.get(), &byte, 1), -1);
  CHECK_EQ(errno, EAGAIN);
  pool.Release(pipe);
}

TEST(AsksAgainLater, "after a refusal of the system it asks again a second later, not before") {
  std::atomic<int32_t> gauge{0};
  PipePool pool(4, &gauge);
  WithoutDescriptors([&] { CHECK(pool.Acquire(kNow) == nullptr); });
  CHECK_EQ(gauge, 0);
  CHECK(pool.Acquire(kNow + 999) == nullptr);
  Pipe* pipe = pool.Acquire(kNow + 1000);
  CHECK(pipe != nullptr);
  // What is pooled is given out at any time.
  pool.Release(pipe);
  WithoutDescriptors([&] { CHECK(pool.Acquire(kNow + 2000) == pipe); });
  pool.Release(pipe);
}

}  // namespace edgeproxy::test
