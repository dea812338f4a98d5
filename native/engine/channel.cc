#include "channel.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace edgeproxy {

namespace {

//  message   header │ record 0 │ … │ record count-1        control   SCM_RIGHTS: one descriptor per record
// Both ends are one build on one machine: native byte order. What is received is checked all the same, because a worker
// is the process that parses what strangers send.
struct WireHeader {
  uint32_t kind;
  uint32_t argument;
  uint32_t count;
};

struct WireRecord {
  uint32_t listener;
  uint32_t words[4];
  uint32_t port;
};

struct WireMessage {
  WireHeader header;
  WireRecord records[kMessageDescriptors];
};

struct Control {
  alignas(cmsghdr) unsigned char bytes[CMSG_SPACE(kMessageDescriptors * sizeof(int))];
};

size_t WireBytes(uint32_t count) { return sizeof(WireHeader) + count * sizeof(WireRecord); }

// How many descriptors a message of this kind has: the most, and the least.
bool IsCountValid(uint32_t kind, uint32_t count) {
  switch (static_cast<MessageKind>(kind)) {
    case MessageKind::kConnections:
      return count >= 1 && count <= kMessageDescriptors;
    case MessageKind::kRegion:
    case MessageKind::kListener:
      return count == 1;
    case MessageKind::kCloseListener:
      return count == 0;
  }
  return false;
}

void Encode(const Message& message, WireMessage& wire, int (&fds)[kMessageDescriptors]) {
  wire.header = {static_cast<uint32_t>(message.kind), message.argument, message.count};
  for (uint32_t i = 0; i < message.count; i++) {
    const HandedSocket& socket = message.sockets[i];
    wire.records[i].listener = socket.listener;
    std::memcpy(wire.records[i].words, socket.peer.words, sizeof socket.peer.words);
    wire.records[i].port = socket.peer.port;
    fds[i] = socket.fd.get();
  }
}

void Decode(const WireMessage& wire, Message& message) {
  message.kind = static_cast<MessageKind>(wire.header.kind);
  message.argument = wire.header.argument;
  message.count = wire.header.count;
  for (uint32_t i = 0; i < wire.header.count; i++) {
    HandedSocket& socket = message.sockets[i];
    socket.listener = wire.records[i].listener;
    std::memcpy(socket.peer.words, wire.records[i].words, sizeof socket.peer.words);
    socket.peer.port = wire.records[i].port & 0xffff;
  }
}

// Takes every descriptor out of the control data into `message`, in order; returns how many there were.
uint32_t TakeDescriptors(msghdr& header, Message& message) {
  uint32_t taken = 0;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count && taken < kMessageDescriptors; i++) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      message.sockets[taken++].fd.Reset(fd);
    }
  }
  return taken;
}

// The other end closed before it had read everything: the end all the same.
int EndOfStream(int error) { return error == ECONNRESET ? EPIPE : error; }

void CloseAll(Message& message) {
  for (HandedSocket& socket : message.sockets) socket.fd.Reset();
  message.count = 0;
}

bool IsValid(const WireMessage& wire, size_t bytes, uint32_t descriptors, int flags) {
  if (bytes < sizeof(WireHeader) || (flags & MSG_TRUNC) != 0) return false;
  if (!IsCountValid(wire.header.kind, wire.header.count) || bytes != WireBytes(wire.header.count)) return false;
  if ((flags & MSG_CTRUNC) != 0) return descriptors < wire.header.count;
  return descriptors == wire.header.count;
}

}  // namespace

int MakeChannel(UniqueFd& primary_end, UniqueFd& worker_end) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == -1) return errno;
  primary_end.Reset(ends[0]);
  worker_end.Reset(ends[1]);
  return 0;
}

int SendMessage(int channel, const Message& message) {
  if (!IsCountValid(static_cast<uint32_t>(message.kind), message.count)) return EINVAL;
  WireMessage wire;
  int fds[kMessageDescriptors];
  Encode(message, wire, fds);

  iovec data = {&wire, WireBytes(message.count)};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  Control control{};
  if (message.count > 0) {
    header.msg_control = control.bytes;
    header.msg_controllen = CMSG_SPACE(message.count * sizeof(int));
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(message.count * sizeof(int));
    std::memcpy(CMSG_DATA(rights), fds, message.count * sizeof(int));
  }

  ssize_t sent;
  do {
    sent = ::sendmsg(channel, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent == -1 && errno == EINTR);
  if (sent != -1) return 0;
  // ETOOMANYREFS: more descriptors in flight than this user may have open. It passes when the workers read.
  if (errno == ETOOMANYREFS || errno == ENOBUFS || errno == ENOMEM) return EAGAIN;
  return EndOfStream(errno);
}

int ReceiveMessage(int channel, Message& message) {
  CloseAll(message);
  WireMessage wire;
  Control control;
  iovec data = {&wire, sizeof wire};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes;
  header.msg_controllen = sizeof control.bytes;

  ssize_t received;
  do {
    received = ::recvmsg(channel, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (received == -1 && errno == EINTR);
  if (received == -1) return EndOfStream(errno);

  const uint32_t descriptors = TakeDescriptors(header, message);
  if (received == 0 && descriptors == 0) return EPIPE;
  if (!IsValid(wire, static_cast<size_t>(received), descriptors, header.msg_flags)) {
    CloseAll(message);
    return EBADMSG;
  }
  Decode(wire, message);
  message.is_truncated = descriptors < wire.header.count;
  return 0;
}

}  // namespace edgeproxy
