#include <dirent.h>
#include <unistd.h>

#include <vector>

#include "check.h"

namespace edgeproxy::test {

namespace {

struct Case {
  const char* name;
  void (*run)();
};

std::vector<Case>& Cases() {
  static std::vector<Case> cases;
  return cases;
}

int CountDescriptors() {
  DIR* directory = ::opendir("/proc/self/fd");
  int count = 0;
  while (::readdir(directory) != nullptr) count++;
  ::closedir(directory);
  return count;
}

}  // namespace

Registration::Registration(const char* name, void (*run)()) { Cases().push_back({name, run}); }

}  // namespace edgeproxy::test

int main() {
  using edgeproxy::test::CountDescriptors;
  for (const auto& test : edgeproxy::test::Cases()) {
    std::printf("  %s\n", test.name);
    std::fflush(stdout);
    ::alarm(edgeproxy::test::kTestTimeoutSecs);
    const int before = CountDescriptors();
    test.run();
    CHECK_EQ(CountDescriptors(), before);
  }
  std::printf("passed %zu\n", edgeproxy::test::Cases().size());
  return edgeproxy::test::Cases().empty() ? 1 : 0;
}
