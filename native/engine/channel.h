// The channel between the primary and one worker: a SOCK_SEQPACKET pair that carries descriptors (SCM_RIGHTS).
//
// The primary keeps both ends open, so that what a dead worker has not read can be taken back and given to another
// worker. Messages are whole or absent: a reader never sees half of one.
#pragma once

#include <cstdint>

#include "peer_address.h"
#include "unique_fd.h"

namespace edgeproxy {

enum class MessageKind : uint32_t {
  kConnections = 1,  // `count` accepted sockets, each with its listener and its peer
  kRegion = 2,       // one memfd; `argument` says which (see NativeRegionKind in TypeScript)
  kListener = 3,     // one listening socket (reuseport); `argument` is the listener's id
  kCloseListener = 4 // no descriptor; the worker stops accepting on listener `argument`
};

// SCM_MAX_FD is 253; 64 keep a message below 2 KiB, and a batch that fills it is already cheap.
constexpr uint32_t kMessageDescriptors = 64;

struct HandedSocket {
  UniqueFd fd;
  uint32_t listener = 0;
  PeerAddress peer{};
};

struct Message {
  MessageKind kind = MessageKind::kConnections;
  uint32_t argument = 0;
  uint32_t count = 0;  // sockets used
  HandedSocket sockets[kMessageDescriptors];
  // Set by Receive where the process had no descriptor left for all of them: the kernel has closed the missing ones.
  // `count` stays what was sent; the sockets that are missing are the last ones, and their `fd` is not open.
  bool is_truncated = false;
};

// SOCK_SEQPACKET, close-on-exec, non-blocking. Returns 0 or an errno.
int MakeChannel(UniqueFd& primary_end, UniqueFd& worker_end);

// Both return 0 or an errno; EAGAIN means full (Send; also for ETOOMANYREFS and ENOBUFS) or empty (Receive), and Receive
// gives EPIPE at the end of the stream and EBADMSG for a message that is not one of ours (it is consumed, its descriptors
// are closed). Receive closes what `message` held before. Send leaves the descriptors with the caller.
int SendMessage(int channel, const Message& message);
int ReceiveMessage(int channel, Message& message);

}  // namespace edgeproxy
