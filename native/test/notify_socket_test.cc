// Notifications, received by a datagram socket as a supervisor has it.
#include "notify_socket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <string>

#include "check.h"
#include "sockets.h"

namespace edgeproxy::test {

namespace {
std::string UniqueName(char first) {
  const std::string rest = "edgeproxy-notify-test-" + std::to_string(::getpid());
  return first == '/' ? "/tmp/" + rest : "@" + rest;
}

UniqueFd ReceiverAt(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  if (name[0] == '@') address.sun_path[0] = 0;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  UniqueFd receiver(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  CHECK_EQ(::bind(receiver.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  return receiver;
}

void CheckReceives(const std::string& name) {
  const UniqueFd receiver = ReceiverAt(name);
  CHECK(!SendNotification(name, "READY=1\nSTATUS=here").is_set());
  CHECK(IsReadable(receiver.get(), kWaitMs));
  char text[64] = "";
  CHECK_EQ(::recv(receiver.get(), text, sizeof text, 0), 19);
  CHECK_EQ(std::strcmp(text, "READY=1\nSTATUS=here"), 0);
}
}  // namespace

TEST(ReachesPaths, "a notification reaches the socket at a path") {
  const std::string path = UniqueName('/');
  CheckReceives(path);
  CHECK_EQ(::unlink(path.c_str()), 0);
}

TEST(ReachesAbstractNames, "a notification reaches the socket of an abstract name") { CheckReceives(UniqueName('@')); }

TEST(NeverWaits, "a notification to a socket that nobody reads fails when its queue is full") {
  const std::string name = UniqueName('@');
  const UniqueFd receiver = ReceiverAt(name);
  SystemError error;
  for (int i = 0; i < 10'000 && !error.is_set(); i++) error = SendNotification(name, "WATCHDOG=1");
  CHECK_EQ(error.code, EAGAIN);
}

TEST(RefusesOtherNames, "a name that is no address, or is nobody's, is an error") {
  CHECK_EQ(SendNotification("", "x").code, EINVAL);
  CHECK_EQ(SendNotification("/", "x").code, EINVAL);
  CHECK_EQ(SendNotification("vsock:2:1", "x").code, EINVAL);
  CHECK_EQ(SendNotification("/" + std::string(107, 'a'), "x").code, EINVAL);
  CHECK_EQ(SendNotification("/" + std::string(106, 'a'), "x").code, ENOENT);
  CHECK_EQ(SendNotification(UniqueName('@'), "x").code, ECONNREFUSED);
}

}  // namespace edgeproxy::test
