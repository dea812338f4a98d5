// One direction of a relay: bytes from a source socket to a sink socket, copied or spliced.
//
// Small reads are copied through one buffer of the process, so an idle connection holds no memory. A direction whose
// reads keep filling the buffer (or a large part of a large one) moves to splice through a pooled pipe, and short splices send it back: splice on small
// messages costs more than copying them. What the sink does not take waits in `pending` (copy) or in the pipe (splice),
// and nothing more is read until it is gone: back-pressure is the kernel's.
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "pipe_pool.h"

namespace edgeproxy {

// A socket of the relay and what its edge-triggered events have told of it.
struct Endpoint {
  UniqueFd fd;
  bool is_readable = false;
  bool is_writable = false;
  // The peer has sent FIN or RST: read until the end, for no further edge may come.
  bool has_hung_up = false;
  // The peer has used TCP's urgent pointer: recv(2) stops at its mark, so a short read does not mean that the socket is
  // empty, and splice(2) never passes it.
  bool has_urgent = false;

  // Notes what an edge of epoll_wait tells. From then on urgent bytes are delivered in their place.
  void TakeEvents(uint32_t events);
};

// What TakeEvents wants to be told of.
constexpr uint32_t kEndpointEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | uint32_t{EPOLLET};

// What all directions of a worker share. Not owned.
struct PumpContext {
  char* copy_buffer;
  uint32_t copy_buffer_bytes;
  PipePool* pipes;
  bool is_splice_enabled;
  uint64_t now_ms;
  std::atomic<uint64_t>* splice_fallbacks;
  // Bytes that wait in `pending` of all directions, and its gauge in shared memory.
  uint64_t pending_bytes;
};

constexpr uint32_t kDefaultCopyBufferBytes = 64 << 10;
constexpr uint32_t kLeastCopyBufferBytes = 1 << 10;

enum class PumpOutcome : uint8_t {
  kWaiting,       // for an edge of either socket
  kAgain,         // used up its turn; call again after the others
  kFinished,      // the source has ended and all its bytes are delivered
  kSourceFailed,  // reset or another error on the source
  kSinkFailed,    // reset or another error on the sink
};

class Direction {
 public:
  Direction() = default;
  Direction(const Direction&) = delete;
  Direction& operator=(const Direction&) = delete;

  // Moves what can be moved now; adds the bytes delivered to `delivered`. Never blocks.
  PumpOutcome Pump(Endpoint& source, Endpoint& sink, PumpContext& context, uint64_t& delivered);

  bool is_finished() const { return is_finished_; }
  // Bytes that the sink has not taken, also one that failed.
  bool HasUndelivered() const { return pending_bytes_ != 0 || pipe_bytes_ != 0; }
  // Copies the first of those that are not in the pipe, at most `most`; returns how many.
  size_t CopyPending(unsigned char* to, size_t most) const;
  // Gives back what it holds and starts anew; bytes on their way are lost.
  void Reset(PumpContext& context);

 private:
  enum class Step : uint8_t { kGoOn, kBlocked, kSourceFailed, kSinkFailed };

  Step Flush(Endpoint& sink, PumpContext& context, uint64_t& delivered);
  Step FlushPending(Endpoint& sink, PumpContext& context, uint64_t& delivered);
  Step FlushPipe(Endpoint& sink, PumpContext& context, uint64_t& delivered);
  Step Copy(Endpoint& source, Endpoint& sink, PumpContext& context, uint64_t& delivered);
  Step FillPipe(Endpoint& source, PumpContext& context);
  // Whether this read of a copy shows a stream.
  void NoteRead(size_t size, const PumpContext& context);
  bool Keep(const char* bytes, size_t size, PumpContext& context);
  void StopSplicing() {
    is_splicing_ = false;
    streak_ = 0;
  }

  char* pending_ = nullptr;
  uint32_t pending_at_ = 0;
  uint32_t pending_bytes_ = 0;
  Pipe* pipe_ = nullptr;
  uint32_t pipe_bytes_ = 0;
  // kLeastCopyBufferBytes that came in full reads in a row while copying, short splices in a row while splicing.
  uint8_t streak_ = 0;
  bool is_splicing_ = false;
  bool has_source_ended_ = false;
  bool is_finished_ = false;
};

}  // namespace edgeproxy
