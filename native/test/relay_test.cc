// A relayed connection from its first byte to its end, with real sockets on both sides.
#include "relay.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>

#include <algorithm>
#include <string>

#include "relay_peers.h"

namespace edgeproxy::test {

TEST(RelaysAConversation, "bytes go both ways, ends are passed on, everything is counted and given back") {
  RelayRig rig;
  const Backend backend;
  rig.ports[2] = backend.port;
  Pair pair = Relayed(rig, backend);
  CHECK_EQ(rig.active(2), 1);
  CHECK_EQ(rig.row(2).share, 1);
  CHECK_EQ(rig.relay().connection_count(), 1);
  Send(pair.upstream, "welcome");
  Expect(rig, pair.client, "welcome");
  ::shutdown(pair.client.get(), SHUT_WR);
  Expect(rig, pair.upstream, "(end)");
  Send(pair.upstream, "bye");
  pair.upstream.Reset();
  Expect(rig, pair.client, "bye(end)");
  rig.UntilAtRest();
  CHECK_EQ(rig.row(2).connections, 1);
  CHECK_EQ(rig.row(2).bytes_from_clients, 5);
  CHECK_EQ(rig.row(2).bytes_to_clients, 10);
  CHECK_EQ(rig.block().bytes_to_clients, 10);
  CHECK_EQ(rig.block().accepted, 1);
  CHECK_EQ(rig.ended(EndReason::kFinished), 1);
}

TEST(PassesAnAbortOn, "a reset of either side is a reset for the other") {
  for (const bool is_client : {true, false}) {
    RelayRig rig;
    const Backend backend;
    rig.ports[0] = backend.port;
    Pair pair = Relayed(rig, backend);
    UniqueFd& aborter = is_client ? pair.client : pair.upstream;
    ResetOnClose(aborter);
    aborter.Reset();
    Expect(rig, is_client ? pair.upstream : pair.client, "(reset)");
    rig.UntilAtRest();
    CHECK_EQ(rig.ended(is_client ? EndReason::kClientReset : EndReason::kBackendReset), 1);
  }
}

TEST(DeliversLastWords, "a backend that answers, closes and resets the rest of an upload has its answer delivered") {
  RelayRig rig;
  const Backend backend;
  rig.ports[0] = backend.port;
  Pair pair{rig.Admit(), AcceptThrough(rig, backend)};
  // Unread at the backend, so that its close is a reset; the rest meets that reset.
  Send(pair.client, "unread");
  rig.Settle();
  Send(pair.client, "the rest");
  Send(pair.upstream, "too large");
  pair.upstream.Reset();
  Expect(rig, pair.client, "too large(reset)");
  rig.UntilAtRest();
  CHECK_EQ(rig.row(0).bytes_to_clients, 9);
  CHECK_EQ(rig.ended(EndReason::kBackendReset), 1);
}

constexpr int64_t kNoDelayMs = 35;

TEST(DelaysNoSecondPiece, "a backend that writes its first answer in two pieces is not held up by a delayed ACK") {
  RelayRig rig;
  const Backend backend;
  rig.ports[0] = backend.port;
  int64_t fastest_ms = kWaitMs;
  // A delayed ACK takes 40 ms each time; a busy machine may take as long, but not every time.
  for (int i = 0; i < 5 || (i < 100 && fastest_ms >= kNoDelayMs); i++) {
    const UniqueFd client = rig.Admit();
    // In hand when the backend is dialled.
    Send(client, "question");
    const UniqueFd upstream = AcceptThrough(rig, backend);
    const int off = 0;
    CHECK_EQ(::setsockopt(upstream.get(), IPPROTO_TCP, TCP_NODELAY, &off, sizeof off), 0);
    Expect(rig, upstream, "question");
    const int64_t begin_ms = NowMs();
    Send(upstream, "head");
    Send(upstream, "body");
    Expect(rig, client, "headbody");
    fastest_ms = std::min(fastest_ms, NowMs() - begin_ms);
  }
  CHECK_OP(fastest_ms, <, kNoDelayMs);
}

TEST(MovesABulk, "a stream that needs many turns arrives whole, up and down, copied and spliced") {
  constexpr size_t kTotal = 64 << 20;
  const std::string chunk(1 << 20, 'x');
  for (const bool is_splice_enabled : {false, true}) {
    RelayOptions options;
    options.is_splice_enabled = is_splice_enabled;
    RelayRig rig(options);
    const Backend backend;
    rig.ports[0] = backend.port;
    const Pair pair = Relayed(rig, backend);
    for (const auto& [from, to] : {std::pair{&pair.client, &pair.upstream}, std::pair{&pair.upstream, &pair.client}}) {
      size_t sent = 0, got = 0;
      std::string buffer(1 << 20, ' ');
      rig.Until([&] {
        while (sent < kTotal) {
          const size_t bytes = std::min(chunk.size(), kTotal - sent);
          const ssize_t part = ::send(from->get(), chunk.data(), bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
          if (part == -1) break;
          sent += static_cast<size_t>(part);
        }
        for (ssize_t part; (part = ::recv(to->get(), buffer.data(), buffer.size(), MSG_DONTWAIT)) > 0;) {
          got += static_cast<size_t>(part);
        }
        return got >= kTotal;
      });
      CHECK_EQ(got, kTotal);
    }
    CHECK_EQ(rig.block().bytes_to_clients, rig.block().bytes_from_clients - 5);
  }
}

TEST(PassesUrgentData, "an urgent byte arrives in its place, and what follows it arrives too") {
  RelayRig rig;
  const Backend backend;
  rig.ports[0] = backend.port;
  Pair pair = Relayed(rig, backend);
  for (int i = 0; i < 20; i++) {
    for (const auto& [from, to] : {std::pair{&pair.client, &pair.upstream}, std::pair{&pair.upstream, &pair.client}}) {
      Send(*from, "before");
      Send(*from, "!", MSG_OOB);
      Send(*from, "after");
      Expect(rig, *to, "before!after");
    }
  }
}

TEST(TimesOut, "connect, idle, half-close and lifetime timers each end what they are for") {
  RelayOptions options;
  options.listeners.Edit(kListenerId).connect_timeout_ms = 50;
  options.connect_retries = 0;
  options.listeners.Edit(kListenerId).idle_timeout_ms = 150;
  options.listeners.Edit(kListenerId).half_close_timeout_ms = 60;
  const Blackhole dead;
  const Backend backend;
  {
    RelayRig rig(options);
    rig.ports[0] = dead.port;
    const UniqueFd client = rig.Admit();
    Expect(rig, client, "(reset)");
    rig.UntilAtRest();
    CHECK_EQ(rig.row(0).errors[static_cast<size_t>(BackendError::kTimeout)], 1);
  }
  {
    RelayRig rig(options);
    rig.ports[0] = backend.port;
    const Pair idle = Relayed(rig, backend);
    const Pair half_closed = Relayed(rig, backend);
    ::shutdown(half_closed.upstream.get(), SHUT_WR);
    rig.UntilAtRest();
    CHECK_EQ(rig.ended(EndReason::kIdleTimeout), 1);
    CHECK_EQ(rig.ended(EndReason::kHalfCloseTimeout), 1);
    CHECK(Receive(idle.client) == "(reset)");
  }
  options.listeners.Edit(kListenerId).max_lifetime_ms = 100;
  RelayRig rig(options);
  rig.ports[0] = backend.port;
  const Pair pair = Relayed(rig, backend);
  rig.Until([&] {
    // Busy until the end.
    ::send(pair.client.get(), ".", 1, MSG_NOSIGNAL);
    return rig.relay().connection_count() == 0;
  });
  CHECK_EQ(rig.ended(EndReason::kMaxLifetime), 1);
  rig.CheckAtRest();
}

TEST(ResetsAllAtClose, "closing resets whoever is relayed, dialled or waiting; twice is once") {
  RelayRig rig;
  const Backend backend;
  const Blackhole dead;
  rig.ports[0] = backend.port;
  const Pair pair = Relayed(rig, backend);
  rig.ports[0] = dead.port;
  const UniqueFd waiting = rig.Admit();
  rig.Until([&] { return rig.active(0) == 2; });
  rig.relay().Close();
  rig.relay().Close();
  for (const UniqueFd* fd : {&pair.client, &pair.upstream, &waiting}) {
    CHECK(IsReadable(fd->get(), kWaitMs));
    CHECK(Receive(*fd) == "(reset)");
  }
  CHECK_EQ(rig.ended(EndReason::kShutdown), 1);
  CHECK_EQ(rig.rejected(RejectReason::kShutdown), 1);
  CHECK_EQ(rig.relay().connection_count(), 0);
  rig.relay().Dispatch();
}

TEST(RestsWithoutPrimary, "when the primary's end of the channel closes, connections go on and nothing spins") {
  RelayRig rig;
  const Backend backend;
  rig.ports[0] = backend.port;
  const Pair pair = Relayed(rig, backend);
  rig.primary_end.Reset();
  rig.Step(kWaitMs);
  CHECK(!IsReadable(rig.relay().poll_fd(), 0));
  Send(pair.upstream, "still here");
  Expect(rig, pair.client, "still here");
}

TEST(HandsRegionsOn, "a region that comes through the channel is the host's") {
  RelayRig rig;
  Message message;
  message.kind = MessageKind::kRegion;
  message.argument = 42;
  message.count = 1;
  message.sockets[0].fd.Reset(::memfd_create("region", MFD_CLOEXEC));
  CHECK_EQ(SendMessage(rig.primary_end.get(), message), 0);
  rig.Until([&] { return !rig.regions.empty(); });
  CHECK_EQ(rig.regions[0].first, 42);
  CHECK(rig.regions[0].second.is_open());
}

}  // namespace edgeproxy::test
