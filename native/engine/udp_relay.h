// The UDP part of a worker's relay: sessions between the clients of its UDP sockets and their backends.
//
// A datagram belongs to the session of its sender's address and port, of the address that it was sent to, and of its listener.
// The first one asks route() for a backend, in one batch with all new clients of one read; the session then has a socket of its
// own, connected, so that nobody but the backend is heard. Replies of a pass leave through the client's socket together.
//
//     clients ── recvmmsg(64) ──► by session ── send, or one with UDP_SEGMENT ──► backend
//     clients ◄── sendmmsg(64), runs with UDP_SEGMENT ──── recv, or recvmmsg(16), of each session that is ready
//
// Strangers can make it spend time, not memory: sessions count as connections, against the same limits and their own.
#pragma once

#include <cstdint>
#include <vector>

#include "access_log.h"
#include "breaker.h"
#include "connection_limits.h"
#include "datagram_reader.h"
#include "datagram_sender.h"
#include "rate_gate.h"
#include "relay.h"
#include "shared_counters.h"
#include "udp_session_table.h"
#include "udp_socket.h"

namespace edgeproxy {

// What it shares with the relay that it is a part of.
struct UdpSurroundings {
  RegionView region;
  uint32_t worker;
  RelayHost& host;
  RouteRequest* requests;
  const RouteResponse* responses;
  const RelayOptions& options;
  const RateGate& gate;
  const ConnectionRoom& room;
  AccessLog& access;
  int epoll;
};

class UdpRelay {
 public:
  explicit UdpRelay(const UdpSurroundings& surroundings, uint64_t now_us);
  ~UdpRelay() { Close(); }
  UdpRelay(const UdpRelay&) = delete;
  UdpRelay& operator=(const UdpRelay&) = delete;

  static bool IsToken(uint64_t token) { return token >> 61 == 5; }
  void SetClock(uint64_t now_us);

  // Returns 0 or an errno.
  int AddListener(uint32_t id, UniqueFd fd);
  // Takes what its sockets hold, then closes them and ends its sessions: without them nobody hears their replies.
  void CloseListener(uint32_t id);
  // Another process reads its sockets from here on; replies still leave through them.
  void LeaveListener(uint32_t id);

  void OnEvent(uint64_t token, uint32_t events, uint32_t connections);
  // At the end of each pass: sends what is gathered. Returns whether anything has moved.
  bool Run();
  void Advance();
  // -1 = never.
  int64_t NextDelayMs() const;

  // The options, of which this has a reference, are other ones.
  void Reconfigure();
  void CloseBackend(uint32_t slot, EndReason reason);
  // Sessions go on, strangers are not heard any more.
  void Drain() { is_draining_ = true; }
  // Idempotent.
  void Close();

  uint32_t session_count() const { return live_; }
  // Those that are relayed, and places without one.
  UdpSessionTable& sessions() { return table_; }
  // Of one that is relayed; its client's next datagram begins another one.
  void Kill(UdpSession& session) { End(session, EndReason::kKilled); }

 private:
  struct Listener {
    uint32_t id;
    UniqueFd fd;
    // Its datagrams say which address they were sent to.
    bool is_wildcard = false;
    bool has_left = false;
    PeerAddress bound{};
  };

  // Clients (udp_relay_clients.cc)
  void ReceiveFrom(uint32_t position, uint32_t most_reads);
  void TakeDatagrams(uint32_t position, uint32_t count);
  UdpSession* SessionOf(uint32_t position, uint32_t place);
  UdpSession* Begin(uint32_t position, uint32_t place, const UdpKey& key, uint64_t hash, UdpSession* failed);
  bool MayBegin(uint32_t listener, const PeerAddress& client, uint32_t& entry, RejectReason& refusal);
  void Route();
  void FillRequest(RouteRequest& request, const UdpSession& session) const;
  void TakeResponse(UdpSession& session, const RouteResponse& response);
  void Dial(UdpSession& session, const RouteResponse& response);
  void DialFailed(UdpSession& session, int error);
  void Start(UdpSession& session);
  void Forward(UdpSession& session);
  void ForwardMany(UdpSession& session);
  void TakeSent(UdpSession& session, const SendResult& result);

  // Backends (udp_relay_replies.cc)
  void OnSessionEvent(UdpSession& session, uint32_t events);
  bool ReadReplies(UdpSession& session);
  // `most` is 1, of a session that is not busy, or kRepliesPerRead.
  int ReadUpTo(UdpSession& session, uint32_t most);
  void AddReply(UdpSession& session, const Datagrams& datagrams);
  void TakeAnswer(UdpSession& session);
  void SendReplies();
  void FlushReplies();

  // Timers and ends (udp_relay.cc)
  uint64_t Deadline(const UdpSession& session) const;
  void OnTimer(UdpSession& session);
  void Reject(UdpSession& session, RejectReason reason);
  void End(UdpSession& session, EndReason reason);
  void CountEnded(const UdpSession& session, EndReason reason);
  void FailSession(UdpSession& session, int error);
  AccessTrace* TraceOf(const UdpSession& session) const { return around_.access.sessions.Find(session.index); }
  static AccessSubject SubjectOf(const UdpSession& session) {
    return {session.key.client, session.key.listener, true, session.bytes_from_client, session.bytes_to_client};
  }
  void LeaveBackend(UdpSession& session);
  void Release(UdpSession& session);
  void Forget(UdpSession& session);
  void CountDropped(uint64_t datagrams) const { counters_.CountDatagramsDropped(datagrams); }

  static constexpr uint64_t kTokenBits = uint64_t{5} << 61;
  static constexpr uint64_t kListenerBit = uint64_t{1} << 60;
  static constexpr uint32_t kGenerationMask = 0x0fff'ffff;
  static constexpr int kGone = -1;

  static uint64_t TokenOf(const UdpSession& session);
  UdpSession* Find(uint64_t token);

  const UdpSurroundings around_;
  const SharedCounters counters_;
  const Breaker breaker_;
  const UdpOffloads offloads_;
  uint64_t now_us_;
  uint64_t now_ms_;
  bool is_draining_ = false;
  bool has_moved_ = false;
  uint32_t connections_ = 0;  // TCP's, which share max_connections
  uint32_t live_ = 0;
  uint32_t failed_ = 0;

  std::vector<Listener> listeners_;
  UdpSessionTable table_;
  TimerWheel wheel_;

  DatagramReader from_clients_;
  DatagramReader from_backends_;
  DatagramSender to_backend_;
  DatagramSender to_clients_;
  uint32_t pass_ = 0;
  // Places of `from_backends_` that `to_clients_` refers to, and the socket that those leave through.
  uint32_t used_replies_ = 0;
  int reply_socket_ = -1;

  // Of one receive pass: sessions with datagrams, the next datagram of the same session, sessions that wait for route().
  std::vector<UdpSession*> touched_;
  uint8_t next_[DatagramReader::kMost];
  std::vector<UdpSession*> waiting_;
  std::vector<UdpSession*> asked_;
};

}  // namespace edgeproxy
