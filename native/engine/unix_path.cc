#include "unix_path.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace edgeproxy {

namespace {
// What is wrong with the path is wrong with the backend: to a client it is a host that cannot be reached.
int Translated(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case EACCES:
    case EPERM:
    case EPROTOTYPE:  // a socket for datagrams
      return EHOSTUNREACH;
    default:
      return error;
  }
}
}  // namespace

bool ReadPath(RegionView region, const PeerAddress& to, sockaddr_un& address) {
  // An entry that is being written has no serial.
  if (to.path_number() >= kMaxPaths || to.path_serial() == 0) return false;
  const UnixPath& path = region.path(to.path_number());
  address = sockaddr_un{};
  address.sun_family = AF_UNIX;
  static_assert(sizeof path.words <= sizeof address.sun_path);
  for (size_t i = 0; i < std::size(path.words); i++) {
    // Acquire, so that the look at the serial stays behind every word (and not a fence, which ThreadSanitizer does not know).
    const uint32_t word = path.words[i].load(std::memory_order_acquire);
    std::memcpy(address.sun_path + i * sizeof word, &word, sizeof word);
  }
  // Whoever writes another path takes the serial away before the first byte: where it is still the same after the copy, none
  // of the bytes was of that path.
  return path.serial.load(std::memory_order_relaxed) == to.path_serial();
}

int ConnectToPath(int socket, const PeerAddress& to, RegionView region) {
  sockaddr_un address;
  // No failure of the backend, which has another path by now.
  if (!ReadPath(region, to, address)) return ESTALE;
  const int result = ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  return result == -1 ? Translated(errno) : 0;
}

}  // namespace edgeproxy
