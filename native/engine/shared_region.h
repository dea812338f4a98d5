// Memory that several processes share: a sealed memfd and one mapping of it.
//
// The seals matter: whoever receives the descriptor may write the pages but not shrink the file, which would turn every
// other process's next access into SIGBUS.
#pragma once

#include <cstddef>
#include <utility>

#include "system_error.h"
#include "unique_fd.h"

namespace edgeproxy {

class SharedRegion {
 public:
  SharedRegion() = default;
  SharedRegion(SharedRegion&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), length_(std::exchange(other.length_, 0)) {}
  SharedRegion& operator=(SharedRegion&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(length_, other.length_);
    return *this;
  }
  SharedRegion(const SharedRegion&) = delete;
  SharedRegion& operator=(const SharedRegion&) = delete;
  ~SharedRegion();

  // A zeroed memfd of `bytes` that can no longer change its size. `name` is what /proc/<pid>/maps shows.
  static SystemError Create(const char* name, size_t bytes, UniqueFd& fd);
  // Maps all of `fd`, which stays the caller's. EINVAL where it is empty or lacks the seal against shrinking.
  static SystemError Map(int fd, SharedRegion& region);

  void* data() const { return data_; }
  size_t length() const { return length_; }
  // Gives the mapping to the caller, who unmaps it.
  void* Release() {
    length_ = 0;
    return std::exchange(data_, nullptr);
  }

 private:
  void* data_ = nullptr;
  size_t length_ = 0;
};

}  // namespace edgeproxy
