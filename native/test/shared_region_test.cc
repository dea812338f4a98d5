#include "shared_region.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "check.h"

namespace edgeproxy::test {

TEST(SharesPages, "two mappings of a region are the same pages, zeroed, also in another process") {
  UniqueFd fd;
  CHECK(!SharedRegion::Create("test", 10'000, fd).is_set());
  CHECK_EQ(::fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
  SharedRegion first;
  SharedRegion second;
  CHECK(!SharedRegion::Map(fd.get(), first).is_set());
  CHECK(!SharedRegion::Map(fd.get(), second).is_set());
  CHECK_EQ(first.length(), 10'000);
  auto& here = *static_cast<std::atomic<int32_t>*>(first.data());
  auto& there = *static_cast<std::atomic<int32_t>*>(second.data());
  CHECK_EQ(here.load(), 0);

  constexpr int kAdds = 100'000;
  const pid_t child = ::fork();
  if (child == 0) {
    for (int i = 0; i < kAdds; i++) there.fetch_add(1);
    ::_exit(0);
  }
  for (int i = 0; i < kAdds; i++) here.fetch_add(1);
  int status = -1;
  CHECK_EQ(::waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  CHECK_EQ(there.load(), 2 * kAdds);
}

TEST(CannotBeResized, "whoever has the descriptor can neither shrink nor grow the region") {
  UniqueFd fd;
  CHECK(!SharedRegion::Create("test", 4096, fd).is_set());
  CHECK_EQ(::ftruncate(fd.get(), 0), -1);
  CHECK_EQ(errno, EPERM);
  CHECK_EQ(::ftruncate(fd.get(), 8192), -1);
  CHECK_EQ(errno, EPERM);
}

TEST(MapsOnlySealedMemory, "a file, a pipe, an unsealed memfd and an empty one are not mapped") {
  SharedRegion region;
  const UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  CHECK(SharedRegion::Map(file.get(), region).is_set());
  const UniqueFd unsealed(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  CHECK_EQ(::ftruncate(unsealed.get(), 4096), 0);
  CHECK_EQ(SharedRegion::Map(unsealed.get(), region).code, EINVAL);
  UniqueFd empty;
  CHECK(!SharedRegion::Create("test", 0, empty).is_set());
  CHECK_EQ(SharedRegion::Map(empty.get(), region).code, EINVAL);
  CHECK_EQ(SharedRegion::Map(99'999, region).code, EBADF);
  CHECK(region.data() == nullptr);
}

}  // namespace edgeproxy::test
