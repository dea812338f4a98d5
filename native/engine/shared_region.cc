#include "shared_region.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace edgeproxy {

SharedRegion::~SharedRegion() {
  if (data_ != nullptr) ::munmap(data_, length_);
}

SystemError SharedRegion::Create(const char* name, size_t bytes, UniqueFd& fd) {
  UniqueFd created(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!created.is_open()) return SystemError::Last("memfd_create");
  if (::ftruncate(created.get(), static_cast<off_t>(bytes)) == -1) return SystemError::Last("ftruncate");
  if (::fcntl(created.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == -1) {
    return SystemError::Last("fcntl");
  }
  fd = std::move(created);
  return {};
}

SystemError SharedRegion::Map(int fd, SharedRegion& region) {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals == -1) return SystemError::Last("fcntl");
  struct stat status;
  if (::fstat(fd, &status) == -1) return SystemError::Last("fstat");
  if ((seals & F_SEAL_SHRINK) == 0 || status.st_size <= 0) return {EINVAL, "mmap"};

  const auto length = static_cast<size_t>(status.st_size);
  void* data = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) return SystemError::Last("mmap");
  SharedRegion mapped;
  mapped.data_ = data;
  mapped.length_ = length;
  region = std::move(mapped);
  return {};
}

}  // namespace edgeproxy
