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

// The process or the system has no descriptor or memory left; others will give some back.
inline bool IsOutOfResources(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace edgeproxy
