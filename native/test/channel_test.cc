#include "channel.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "check.h"
#include "sockets.h"

namespace edgeproxy::test {

namespace {

struct Channel {
  UniqueFd primary;
  UniqueFd worker;

  Channel() { CHECK_EQ(MakeChannel(primary, worker), 0); }
};

UniqueFd AnyFd() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

uint64_t Inode(int fd) {
  struct stat status;
  CHECK_EQ(::fstat(fd, &status), 0);
  return status.st_ino;
}

Message Connections(uint32_t count) {
  Message message;
  message.count = count;
  for (uint32_t i = 0; i < count; i++) message.sockets[i] = {AnyFd(), i, {{0, 0, 0xffff, 0x7f000000 + i}, 1000 + i}};
  return message;
}

// Sends raw bytes with `count` copies of one descriptor, as a worker that a stranger has taken over might.
void SendRaw(int channel, const void* bytes, size_t length, uint32_t count) {
  const UniqueFd fd = AnyFd();
  std::vector<int> fds(count, fd.get());
  std::vector<unsigned char> control(CMSG_SPACE(count * sizeof(int)));
  iovec data = {const_cast<void*>(bytes), length};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  if (count > 0) {
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(count * sizeof(int));
    std::memcpy(CMSG_DATA(rights), fds.data(), count * sizeof(int));
  }
  CHECK_EQ(::sendmsg(channel, &header, MSG_NOSIGNAL), length);
}

void CheckRefused(uint32_t kind, uint32_t count, size_t records, uint32_t descriptors) {
  Channel channel;
  std::vector<uint32_t> words(3 + records * 6);
  words[0] = kind;
  words[2] = count;
  SendRaw(channel.primary.get(), words.data(), words.size() * 4, descriptors);
  Message message;
  CHECK_EQ(ReceiveMessage(channel.worker.get(), message), EBADMSG);
  CHECK_EQ(message.count, 0);
  for (const HandedSocket& socket : message.sockets) CHECK(!socket.fd.is_open());
  CHECK_EQ(ReceiveMessage(channel.worker.get(), message), EAGAIN);
}

// Runs `act` while this process can open exactly `free_descriptors` more.
template <typename Act>
void WithDescriptorsLeft(uint32_t free_descriptors, Act act) {
  rlimit before;
  CHECK_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  std::vector<UniqueFd> fillers;
  const rlimit low = {256, before.rlim_max};
  CHECK_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  for (UniqueFd fd = AnyFd(); fd.is_open(); fd = AnyFd()) fillers.push_back(std::move(fd));
  for (uint32_t i = 0; i < free_descriptors; i++) fillers.pop_back();
  act();
  fillers.clear();
  CHECK_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

}  // namespace

TEST(CarriesDescriptors, "a message carries its descriptors, close-on-exec, with listener and peer, and leaves the sender's open") {
  for (const uint32_t count : {1u, 2u, kMessageDescriptors}) {
    Channel channel;
    const Message sent = Connections(count);
    CHECK_EQ(SendMessage(channel.primary.get(), sent), 0);
    Message message;
    CHECK_EQ(ReceiveMessage(channel.worker.get(), message), 0);
    CHECK(message.kind == MessageKind::kConnections);
    CHECK_EQ(message.count, count);
    CHECK(!message.is_truncated);
    for (uint32_t i = 0; i < count; i++) {
      CHECK_EQ(Inode(message.sockets[i].fd.get()), Inode(sent.sockets[i].fd.get()));
      CHECK_EQ(::fcntl(message.sockets[i].fd.get(), F_GETFD), FD_CLOEXEC);
      CHECK_EQ(message.sockets[i].listener, i);
      CHECK_EQ(std::memcmp(&message.sockets[i].peer, &sent.sockets[i].peer, sizeof(PeerAddress)), 0);
    }
  }
}

TEST(CarriesEveryKind, "regions, listeners and close-listener arrive with their argument") {
  Channel channel;
  for (const MessageKind kind : {MessageKind::kRegion, MessageKind::kListener, MessageKind::kCloseListener}) {
    Message sent;
    sent.kind = kind;
    sent.argument = 77;
    sent.count = kind == MessageKind::kCloseListener ? 0 : 1;
    if (sent.count == 1) sent.sockets[0].fd = AnyFd();
    CHECK_EQ(SendMessage(channel.primary.get(), sent), 0);
    Message message;
    CHECK_EQ(ReceiveMessage(channel.worker.get(), message), 0);
    CHECK(message.kind == kind);
    CHECK_EQ(message.argument, 77);
    CHECK_EQ(message.sockets[0].fd.is_open(), sent.count == 1);
  }
}

TEST(ClosesWhatItHeld, "receiving closes what the message held before, and a message that is dropped closes its descriptors") {
  Channel channel;
  Message message;
  for (int i = 0; i < 3; i++) {
    CHECK_EQ(SendMessage(channel.primary.get(), Connections(kMessageDescriptors)), 0);
    CHECK_EQ(ReceiveMessage(channel.worker.get(), message), 0);
  }
  CHECK_EQ(ReceiveMessage(channel.worker.get(), message), EAGAIN);
  for (const HandedSocket& socket : message.sockets) CHECK(!socket.fd.is_open());
}

TEST(ReportsFullEmptyAndEnd, "a full channel is EAGAIN and takes messages again once read, an empty one EAGAIN, a closed one EPIPE") {
  Channel channel;
  const Message sent = Connections(1);
  int messages = 0;
  while (SendMessage(channel.primary.get(), sent) == 0) messages++;
  CHECK_OP(messages, >, 16);
  CHECK_EQ(SendMessage(channel.primary.get(), sent), EAGAIN);
  Message message;
  for (int i = 0; i < messages; i++) CHECK_EQ(ReceiveMessage(channel.worker.get(), message), 0);
  CHECK_EQ(ReceiveMessage(channel.worker.get(), message), EAGAIN);
  CHECK_EQ(SendMessage(channel.primary.get(), sent), 0);
  channel.worker.Reset();
  CHECK_EQ(SendMessage(channel.primary.get(), sent), EPIPE);
  CHECK_EQ(ReceiveMessage(channel.primary.get(), message), EPIPE);
}

TEST(RefusesToSendNonsense, "sending a count that the kind does not have is EINVAL, a closed descriptor EBADF") {
  Channel channel;
  Message message;
  CHECK_EQ(SendMessage(channel.primary.get(), message), EINVAL);
  message.count = kMessageDescriptors + 1;
  CHECK_EQ(SendMessage(channel.primary.get(), message), EINVAL);
  message.kind = MessageKind::kCloseListener;
  message.count = 1;
  CHECK_EQ(SendMessage(channel.primary.get(), message), EINVAL);
  message.kind = MessageKind::kRegion;
  CHECK_EQ(SendMessage(channel.primary.get(), message), EBADF);
}

TEST(RefusesHostileMessages, "messages whose kind, count, length and descriptors do not agree are refused and closed whole") {
  CheckRefused(0, 1, 1, 1);                          // no such kind
  CheckRefused(99, 1, 1, 1);                         //
  CheckRefused(1, 0, 0, 0);                          // no connection
  CheckRefused(1, kMessageDescriptors + 1, 65, 65);  // too many
  CheckRefused(1, 0xffffffff, 1, 1);                 // count × record overflows
  CheckRefused(1, 2, 1, 2);                          // too short
  CheckRefused(1, 1, 2, 1);                          // too long
  CheckRefused(1, 2, 2, 1);                          // fewer descriptors than records
  CheckRefused(1, 1, 1, 2);                          // more
  CheckRefused(1, 1, 1, 0);                          // none
  CheckRefused(1, kMessageDescriptors, kMessageDescriptors, 253);
  CheckRefused(1, kMessageDescriptors, 2000, 64);    // longer than the buffer
  CheckRefused(2, 2, 2, 2);                          // a region has one
  CheckRefused(4, 1, 1, 1);                          // close-listener has none
  CheckRefused(4, 0, 0, 1);                          // a descriptor that nobody asked for
}

TEST(RefusesAFragment, "a message shorter than its header is refused") {
  for (const size_t length : {size_t{1}, size_t{11}}) {
    Channel channel;
    const char bytes[11] = {1};
    SendRaw(channel.primary.get(), bytes, length, 1);
    Message message;
    CHECK_EQ(ReceiveMessage(channel.worker.get(), message), EBADMSG);
  }
}

TEST(SurvivesExhaustion, "out of descriptors, the message says how many arrived and nothing leaks") {
  for (const uint32_t free_descriptors : {0u, 1u, 5u}) {
    Channel channel;
    CHECK_EQ(SendMessage(channel.primary.get(), Connections(8)), 0);
    Message message;
    WithDescriptorsLeft(free_descriptors, [&] {
      CHECK_EQ(ReceiveMessage(channel.worker.get(), message), 0);
      CHECK(message.is_truncated);
      CHECK_EQ(message.count, 8);
      for (uint32_t i = 0; i < 8; i++) CHECK_EQ(message.sockets[i].fd.is_open(), i < free_descriptors);
      CHECK_EQ(message.sockets[7].peer.port, 1007);
    });
  }
}

}  // namespace edgeproxy::test
