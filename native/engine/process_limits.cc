#include "process_limits.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace edgeproxy {

SystemError RaiseFileLimit(FileLimit& limit) {
  rlimit files;
  if (::getrlimit(RLIMIT_NOFILE, &files) == -1) return SystemError::Last("getrlimit");
  if (files.rlim_cur != files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &files) == -1) return SystemError::Last("setrlimit");
  }
  limit = {files.rlim_cur, files.rlim_max};
  return {};
}

SystemError ReadFileLimit(FileLimit& limit) {
  rlimit files;
  if (::getrlimit(RLIMIT_NOFILE, &files) == -1) return SystemError::Last("getrlimit");
  limit = {files.rlim_cur, files.rlim_max};
  return {};
}

SystemError DieWithParent(int parent_pid) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) == -1) return SystemError::Last("prctl");
  if (::getppid() != parent_pid) return {ESRCH, "getppid"};
  return {};
}

}  // namespace edgeproxy
