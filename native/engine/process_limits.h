// What a process may hold, and how long it may live.
#pragma once

#include <cstdint>

#include "system_error.h"

namespace edgeproxy {

struct FileLimit {
  uint64_t soft;
  uint64_t hard;
};

// Raises RLIMIT_NOFILE to its hard limit; `limit` is what holds afterwards.
SystemError RaiseFileLimit(FileLimit& limit);

// RLIMIT_NOFILE as it is now: anybody may change it from outside (prlimit).
SystemError ReadFileLimit(FileLimit& limit);

// This process gets SIGKILL when the thread that started it ends. ESRCH where its parent is not (any more) `parent_pid`:
// it may have died before the request, and then no signal comes.
SystemError DieWithParent(int parent_pid);

}  // namespace edgeproxy
