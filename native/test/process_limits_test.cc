#include "process_limits.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "check.h"
#include "sockets.h"

namespace edgeproxy::test {

TEST(RaisesTheLimit, "the soft limit of descriptors is read as it is, and becomes the hard one") {
  rlimit before;
  CHECK_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low = {128, before.rlim_max};
  CHECK_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  FileLimit limit;
  CHECK(!ReadFileLimit(limit).is_set());
  CHECK_EQ(limit.soft, 128);
  CHECK_EQ(limit.hard, before.rlim_max);
  CHECK(!RaiseFileLimit(limit).is_set());
  CHECK_EQ(limit.soft, before.rlim_max);
  rlimit after;
  CHECK_EQ(::getrlimit(RLIMIT_NOFILE, &after), 0);
  CHECK_EQ(after.rlim_cur, before.rlim_max);
  CHECK_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST(DiesWithItsParent, "a process whose parent dies by SIGKILL dies too, and one whose parent is gone is told so") {
  int ends[2];
  CHECK_EQ(::pipe(ends), 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    const pid_t self = ::getpid();
    if (::fork() == 0) {
      const bool is_refused = DieWithParent(self + 1'000'000).code == ESRCH;
      const bool is_set = !DieWithParent(self).is_set();
      CHECK_EQ(::write(ends[1], is_refused && is_set ? "y" : "n", 1), 1);
    }
    for (;;) ::pause();
  }
  ::close(ends[1]);
  char answer = 0;
  CHECK_EQ(::read(ends[0], &answer, 1), 1);
  CHECK_EQ(answer, 'y');
  CHECK_EQ(::kill(parent, SIGKILL), 0);
  CHECK_EQ(::waitpid(parent, nullptr, 0), parent);
  // The grandchild held the pipe's other end: the pipe ends when it does.
  CHECK(IsReadable(ends[0], kWaitMs));
  CHECK_EQ(::read(ends[0], &answer, 1), 0);
  ::close(ends[0]);
}

}  // namespace edgeproxy::test
