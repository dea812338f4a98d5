// The relay of one worker: an edge-triggered epoll set of its own, driven by whoever polls its descriptor.
//
// A client comes from the channel (handoff) or from a listening socket of the worker's own (reuseport), waits in the
// batch for route(), is connected to the backend chosen, and relayed until both sides have ended. Nothing here blocks,
// and nothing here knows JavaScript: RelayHost does.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "channel.h"
#include "connection.h"
#include "direction.h"
#include "pipe_pool.h"
#include "shared_counters.h"
#include "system_error.h"
#include "timer_wheel.h"

namespace edgeproxy {

// Who decides, and what else the relay tells.
class RelayHost {
 public:
  virtual ~RelayHost() = default;
  // `count` requests are filled in; must fill in as many responses. Called once per batch.
  virtual void OnBatch(uint32_t count, uint32_t now_secs) = 0;
  virtual void OnRegion(uint32_t kind, UniqueFd fd) = 0;
  // What the primary has sent is lost, and it will not be sent again: only a successor gets everything anew.
  virtual void OnLost(const SystemError& reason) = 0;
};

struct RelayOptions {
  uint32_t max_connections = 10'000;
  uint32_t connect_retries = 2;
  // Milliseconds, 0 = off.
  uint64_t connect_timeout_ms = 5'000;
  uint64_t idle_timeout_ms = 3'600'000;
  uint64_t half_close_timeout_ms = 30'000;
  uint64_t max_lifetime_ms = 0;
  bool is_splice_enabled = true;
  uint32_t max_pipes = 512;
};

class Relay {
 public:
  // `requests` and `responses` hold kBatchCapacity each and outlive the relay, as do `host` and the region.
  Relay(const RelayOptions& options, RegionView region, uint32_t worker, RelayHost& host, RouteRequest* requests,
        const RouteResponse* responses);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // Takes over the worker's end of its channel. Returns 0 or an errno.
  int Open(UniqueFd channel);
  // Readable when Dispatch has something to do.
  int poll_fd() const { return epoll_.get(); }

  // Handles what is ready now, one bounded pass.
  void Dispatch();
  // Milliseconds until Dispatch is due even without an event: 0 = at once, -1 = never.
  int64_t NextDispatchMs() const;

  uint32_t connection_count() const { return slab_.in_use(); }
  // Stops accepting from listeners of its own.
  void Drain();
  // Resets every connection and closes everything. Idempotent.
  void Close();

 private:
  struct Listener {
    uint32_t id;
    UniqueFd fd;
  };
  enum class Side : uint32_t { kClient, kBackend };

  void ReadClock();
  void OnEvent(uint64_t token, uint32_t events);

  // Clients (relay_admission.cc)
  void ReadChannel();
  void TakeMessage(Message& message);
  void TakeOne(Message& message);
  void AddListener(uint32_t id, UniqueFd fd);
  void CloseListener(uint32_t id);
  void EmptyAndClose(uint32_t position);
  void Forget(Listener& listener);
  bool AcceptFrom(uint32_t position);
  void PauseListening();
  void UpdateListening();
  void Admit(UniqueFd fd, uint32_t listener, const PeerAddress& peer);

  // Routing and connecting (relay_connect.cc)
  bool RouteWaiting();
  static void FillRequest(RouteRequest& request, const Connection& connection);
  void TakeResponse(Connection& connection, const RouteResponse& response);
  void Dial(Connection& connection, const RouteResponse& response);
  int StartConnect(Connection& connection, const RouteResponse& response);
  static void StopDelayingAck(Connection& connection);
  void OnConnectEvent(Connection& connection, Side side, uint32_t events);
  void ConnectFailed(Connection& connection, int error);

  // Relaying
  bool PumpBoth(Connection& connection);
  bool PumpOne(Connection& connection, Side from);
  PumpOutcome PumpAndCount(Connection& connection, Side from);
  void TakeLastWords(Connection& connection, Side from);
  bool ForwardEnd(Connection& connection, Side from);
  void Queue(Connection& connection);
  void RunQueued();

  // Timers and ends
  uint64_t Deadline(const Connection& connection) const;
  void OnTimer(Connection& connection);
  void Reject(Connection& connection, RejectReason reason);
  void End(Connection& connection, EndReason reason);
  void Abort(Connection& connection, EndReason reason);
  static void ResetOnClose(Endpoint& endpoint);
  void Free(Connection& connection);

  int Watch(int fd, uint64_t token, uint32_t events);
  static uint64_t TokenOf(const Connection& connection, Side side);
  Connection* Find(uint64_t token);

  // Tokens with this bit are not a connection's: a listener's position, or the channel.
  static constexpr uint64_t kSpecialToken = uint64_t{1} << 63;
  static constexpr uint64_t kChannelToken = kSpecialToken | 0xffff'ffff;
  // Far enough to be no deadline, near enough to be added to.
  static constexpr uint64_t kNever = UINT64_MAX / 2;

  const RelayOptions options_;
  const SharedCounters counters_;
  RelayHost& host_;
  RouteRequest* const requests_;
  const RouteResponse* const responses_;

  UniqueFd epoll_;
  UniqueFd channel_;
  std::vector<Listener> listeners_;
  uint64_t listening_paused_until_ms_ = 0;
  bool is_listening_ = true;
  bool is_draining_ = false;

  uint64_t now_ms_;
  ConnectionSlab slab_;
  TimerWheel wheel_;
  PipePool pipes_;
  std::unique_ptr<char[]> copy_buffer_;
  PumpContext pump_;
  Message message_;
  // Tokens: clients that wait for route(), connections that wait for another turn, and those whose turn it is.
  std::vector<uint64_t> waiting_;
  std::vector<uint64_t> queued_;
  std::vector<uint64_t> turn_;
};

}  // namespace edgeproxy
