// The relay of one worker: an edge-triggered epoll set of its own, driven by whoever polls its descriptor.
//
// A client comes from the channel (handoff) or from a listening socket of the worker's own (reuseport), waits in the
// batch for route(), is connected to the backend chosen, and relayed until both sides have ended. Nothing here blocks,
// and nothing here knows JavaScript: RelayHost does.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "access_log.h"
#include "breaker.h"
#include "channel.h"
#include "connection.h"
#include "connection_limits.h"
#include "connection_list.h"
#include "direction.h"
#include "listener_options.h"
#include "pipe_pool.h"
#include "rate_gate.h"
#include "shared_counters.h"
#include "system_error.h"
#include "timer_wheel.h"
#include "warm_pool.h"

namespace edgeproxy {

// Who decides, and what else the relay tells.
class RelayHost {
 public:
  virtual ~RelayHost() = default;
  // `count` requests are filled in; must fill in as many responses. Called once per batch.
  virtual void OnBatch(uint32_t count, const BatchClock& now) = 0;
  virtual void OnRegion(uint32_t kind, UniqueFd fd) = 0;
  // What the primary has sent is lost, and it will not be sent again: only a successor gets everything anew.
  virtual void OnLost(const SystemError& reason) = 0;
};

// What passes between the relay and route(): kBatchCapacity requests and responses, and kNameBytes for each request.
struct BatchArrays {
  RouteRequest* requests;
  const RouteResponse* responses;
  unsigned char* names;
};

struct RelayOptions {
  uint32_t max_connections = 10'000;
  // Of those.
  uint32_t max_udp_sessions = 10'000;
  uint32_t connect_retries = 2;
  bool is_splice_enabled = true;
  // At least kLeastCopyBufferBytes.
  uint32_t copy_buffer_bytes = kDefaultCopyBufferBytes;
  uint32_t max_pipes = 512;
  WarmPoolOptions pool{};
  // Of all workers together; for listeners of the worker's own.
  ConnectionLimits limits{};
  // For the same clients: those over their rate are reset before they are a connection.
  RateRule rate_rule{};
  ListenerOptions listeners{};
};

class UdpRelay;

class Relay {
 public:
  // The arrays of the batch, `host` and the region outlive the relay.
  Relay(const RelayOptions& options, RegionView region, uint32_t worker, RelayHost& host, const BatchArrays& batch);
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

  // UDP sessions among them.
  uint32_t connection_count() const;
  // Takes other limits and timeouts into force, also for the connections that are there, in time proportional to their
  // number. `max_pipes` stays what it was.
  void Configure(const RelayOptions& options);
  // Resets what is relayed to the backend at this slot and closes what was opened ahead; a client on its way there gets
  // another one.
  void CloseBackend(uint32_t slot, EndReason reason);
  // Writes those that the filter wants, `from` on: at most kMostListed, and no more than a turn of the loop allows. Begin with
  // 0, go on with `next`; what comes or goes meanwhile may be missed, what stays is not.
  ConnectionPage List(const ConnectionFilter& filter, uint64_t from, uint32_t most, const ConnectionRecords& to);
  // Resets a connection, or as many of those that the filter wants as a turn of the loop allows. False where it has ended.
  bool Kill(const ConnectionId& id);
  ConnectionPage KillMany(const ConnectionFilter& filter, uint64_t from, uint32_t most);
  // UDP: another process reads the datagrams of that listener from here on.
  void LeaveListener(uint32_t id);
  // Leaves what the access log tells of clients there, which outlives the relay; of those that come from here on.
  void UseAccessLog(const AccessRing& ring) { access_.Use(ring); }
  // Stops accepting from listeners of its own.
  void Drain();
  // Resets every connection and closes everything. Idempotent.
  void Close();

 private:
  struct Listener {
    uint32_t id;
    UniqueFd fd;
    // All workers together have as many as they may.
    uint64_t paused_until_ms = 0;
    bool is_armed = true;
  };
  enum class Side : uint32_t { kClient, kBackend };

  void ReadClock();
  void SizeCopyBuffer(uint32_t bytes);
  BatchClock ClockOfBatch() const;
  void OnEvent(uint64_t token, uint32_t events);
  void Conclude();

  // Clients (relay_admission.cc)
  void ReadChannel();
  void TakeMessage(Message& message);
  void TakeOne(Message& message);
  void AddListener(uint32_t id, UniqueFd fd);
  int AddUdpListener(uint32_t id, UniqueFd fd);
  void CloseListener(uint32_t id);
  void EmptyAndClose(uint32_t position);
  void Forget(Listener& listener);
  bool AcceptFrom(uint32_t position);
  bool MayEnter(Listener& listener);
  void Refuse(const Listener& listener, const PeerAddress& peer);
  void PauseListening();
  bool IsRelieved() const;
  bool IsFull() const { return connection_count() >= options_.max_connections; }
  void Arm(uint32_t position, bool is_armed);
  void UpdateListening();
  void Admit(UniqueFd fd, uint32_t listener, const PeerAddress& peer);

  // What clients say before they are routed (relay_hello.cc)
  bool Describe(Connection& connection, RouteRequest& request, unsigned char* names);
  static void FillDestination(const Connection& connection, RouteRequest& request);
  bool PeekAtHello(Connection& connection, RouteRequest& request, unsigned char* names);
  bool AwaitHello(Connection& connection, RouteRequest& request, uint32_t needed_bytes);
  void StartPeeking(Connection& connection);
  void OnPeekEvent(Connection& connection, uint32_t events);
  void StopPeeking(Connection& connection);
  uint64_t PeekDeadline(const Connection& connection) const;

  // Routing and connecting (relay_connect.cc)
  bool RouteWaiting();
  static void FillRequest(RouteRequest& request, const Connection& connection);
  void TakeResponse(Connection& connection, const RouteResponse& response);
  void Dial(Connection& connection, const RouteResponse& response);
  bool UseWarm(Connection& connection, const PeerAddress& to);
  void Connect(Connection& connection, const PeerAddress& to);
  void Attempt(Connection& connection, const PeerAddress& to);
  void WaitForQueue(Connection& connection);
  void AskQueueAgain(Connection& connection);
  uint64_t QueueWaitMs(const Connection& connection) const;
  int StartConnect(Connection& connection, const PeerAddress& to);
  int WatchClient(Connection& connection);
  void StartRelaying(Connection& connection);
  void Redial(Connection& connection);
  static void StopDelayingAck(Connection& connection);
  void OnConnectEvent(Connection& connection, Side side, uint32_t events);
  void ConnectFailed(Connection& connection, int error);
  void TryNext(Connection& connection);
  void Move(Connection& connection);
  void LeaveBackend(Connection& connection);
  uint64_t ConnectDeadline(const Connection& connection) const;
  bool IsTotalTimeOver(const Connection& connection) const;
  bool WasCutShort(const Connection& connection) const;

  // Relaying (relay_pump.cc)
  bool PumpBoth(Connection& connection);
  bool PumpOne(Connection& connection, Side from);
  static bool HasLostBackend(const Connection& connection, Side from, PumpOutcome outcome);
  PumpOutcome PumpAndCount(Connection& connection, Side from);
  void TakeLastWords(Connection& connection, Side from);
  bool ForwardEnd(Connection& connection, Side from);
  void Queue(Connection& connection);
  void RunQueued();

  // Timers and ends (relay_end.cc)
  void JudgeSilence(const Connection& connection, EndReason reason);
  static AccessSubject SubjectOf(const Connection& connection);
  const ListenerSettings& SettingsOf(const Connection& connection) const { return options_.listeners.Get(connection.listener); }
  uint64_t Deadline(const Connection& connection) const;
  uint64_t EndOfLife(const Connection& connection) const;
  void Reschedule(Connection& connection);
  void OnTimer(Connection& connection);
  void Reject(Connection& connection, RejectReason reason);
  void Finish(Connection& connection);
  void End(Connection& connection, EndReason reason);
  void Free(Connection& connection);

  // Who asks (relay_list.cc)
  template <typename OnConnection, typename OnSession>
  ConnectionPage Walk(const ConnectionFilter& filter, uint64_t from, uint32_t most, OnConnection on_connection,
                      OnSession on_session);
  void KillNow(Connection& connection);

  int Watch(int fd, uint64_t token, uint32_t events, bool is_known = false);
  static uint64_t TokenOf(const Connection& connection, Side side);
  Connection* Find(uint64_t token);

  // Tokens with this bit are not a connection's: a listener's position, the channel, or one of the pool's (WarmPool::IsToken)
  // or of the UDP part (UdpRelay::IsToken).
  static constexpr uint64_t kSpecialToken = uint64_t{1} << 63;
  static constexpr uint64_t kChannelToken = kSpecialToken | 0xffff'ffff;
  // Far enough to be no deadline, near enough to be added to.
  static constexpr uint64_t kNever = UINT64_MAX / 2;

  RelayOptions options_;
  const RegionView region_;
  const SharedCounters counters_;
  ConnectionRoom room_;
  RateGate gate_;
  const Breaker breaker_;
  RelayHost& host_;
  const BatchArrays batch_;

  UniqueFd epoll_;
  UniqueFd channel_;
  std::vector<Listener> listeners_;
  uint64_t listening_paused_until_ms_ = 0;
  // When the first of the listeners that are full may be looked at again.
  uint64_t next_listening_ms_ = kNever;
  bool is_draining_ = false;

  uint64_t now_us_;
  uint64_t now_ms_;
  ConnectionSlab slab_;
  TimerWheel wheel_;
  AccessLog access_;
  PipePool pipes_;
  WarmPool warm_;
  std::unique_ptr<UdpRelay> udp_;  // from the first UDP listener on
  std::unique_ptr<char[]> copy_buffer_;
  PumpContext pump_;
  Message message_;
  // Tokens: clients that wait for route(), connections that wait for another turn, and those whose turn it is.
  std::vector<uint64_t> waiting_;
  std::vector<uint64_t> queued_;
  std::vector<uint64_t> turn_;
};

}  // namespace edgeproxy
