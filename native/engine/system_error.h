// The failure of a system call: which call, and its errno. Zero is success. The bindings turn it into a NativeError.
#pragma once

#include <cerrno>

namespace edgeproxy {

struct SystemError {
  int code = 0;
  const char* syscall = "";

  static SystemError Last(const char* syscall) { return {errno, syscall}; }
  bool is_set() const { return code != 0; }
};

}  // namespace edgeproxy
