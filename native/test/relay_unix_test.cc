// Backends on Unix sockets: the same relay, other errors, no reset.
#include <sys/stat.h>

#include <string>
#include <vector>

#include "pool_world.h"
#include "unix_path.h"
#include "unix_peers.h"

namespace edgeproxy::test {

namespace {

constexpr size_t kStreamBytes = 8 << 20;

uint32_t Errors(RelayRig& rig, uint32_t slot, BackendError kind) {
  return rig.row(slot).errors[static_cast<size_t>(kind)];
}

Pair RelayedOver(RelayRig& rig, const UnixBackend& backend) {
  Pair pair{rig.Admit(), AcceptThrough(rig, backend)};
  Send(pair.client, "hello");
  Expect(rig, pair.upstream, "hello");
  return pair;
}

// Sends a pattern in one direction while the relay runs, ends it, and compares what arrives up to its end.
void Stream(RelayRig& rig, const UniqueFd& from, const UniqueFd& to) {
  std::string text(kStreamBytes, 0);
  for (size_t i = 0; i < text.size(); i++) text[i] = static_cast<char>(i * 31 >> 3);
  std::string got;
  std::vector<char> buffer(1 << 20);
  size_t sent = 0;
  bool has_ended = false;
  rig.Until([&] {
    if (sent < text.size()) {
      const ssize_t more = ::send(from.get(), text.data() + sent, text.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (more > 0) sent += static_cast<size_t>(more);
      if (sent == text.size()) CHECK_EQ(::shutdown(from.get(), SHUT_WR), 0);
    }
    ssize_t part;
    while ((part = ::recv(to.get(), buffer.data(), buffer.size(), MSG_DONTWAIT)) > 0) got.append(buffer.data(), static_cast<size_t>(part));
    has_ended = part == 0;
    return has_ended;
  });
  CHECK(got == text);
}

// Connects to the backend until its queue is full.
std::vector<UniqueFd> FillQueue(const UnixBackend& backend) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  backend.path.copy(address.sun_path, backend.path.size());
  std::vector<UniqueFd> fillers;
  for (;;) {
    UniqueFd filler(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (::connect(filler.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == -1) {
      CHECK_EQ(errno, EAGAIN);
      return fillers;
    }
    fillers.push_back(std::move(filler));
  }
}

}  // namespace

TEST(RelaysOverAUnixSocket, "bytes go both ways, copied and spliced, and each side's end goes to the other") {
  for (const bool is_splice_enabled : {false, true}) {
    const ScratchDirectory directory;
    const UnixBackend backend(directory / "app.sock");
    RelayOptions options;
    options.is_splice_enabled = is_splice_enabled;
    RelayRig rig(options);
    rig.UsePath(0, backend.path);
    const Pair pair = RelayedOver(rig, backend);
    Stream(rig, pair.client, pair.upstream);
    Stream(rig, pair.upstream, pair.client);
    rig.UntilAtRest();
    CHECK_EQ(rig.ended(EndReason::kFinished), 1);
    CHECK_EQ(rig.row(0).bytes_to_clients, kStreamBytes);
    CHECK_EQ(rig.row(0).bytes_from_clients, kStreamBytes + 5);
  }
}

TEST(TakesAnAnswerFromWhoClosedAtOnce, "what a backend has sent before it closed is no failed connect") {
  const ScratchDirectory directory;
  const UnixBackend backend(directory / "app.sock");
  RelayRig rig;
  rig.UsePath(0, backend.path);
  // In the queue before the relay looks again: the hang-up comes with the first event.
  const UniqueFd client = rig.Admit();
  rig.choose = [&](const RouteRequest&) { return 0; };
  UniqueFd upstream;
  rig.Until([&] {
    upstream = backend.TryAccept();
    if (!upstream.is_open()) return false;
    Send(upstream, "bye");
    upstream.Reset();
    return true;
  });
  Expect(rig, client, "bye(end)");
  ::shutdown(client.get(), SHUT_WR);
  rig.UntilAtRest();
  CHECK_EQ(rig.ended(EndReason::kFinished), 1);
  CHECK_EQ(rig.rejected(RejectReason::kConnectFailed), 0);
}

TEST(ResetsForAResetOverAUnixSocket, "a backend that closes with unread bytes resets its client, after what it had sent") {
  const ScratchDirectory directory;
  const UnixBackend backend(directory / "app.sock");
  RelayRig rig;
  rig.UsePath(0, backend.path);
  Pair pair = RelayedOver(rig, backend);
  Send(pair.upstream, "last words");
  Send(pair.client, "unread");
  rig.Until([&] { return rig.row(0).bytes_from_clients == 11; });
  pair.upstream.Reset();
  Expect(rig, pair.client, "last words(reset)");
  rig.UntilAtRest();
  CHECK_EQ(rig.ended(EndReason::kBackendReset), 1);
}

TEST(HangsUpForAClientThatResets, "a client's reset closes the backend's socket both ways") {
  const ScratchDirectory directory;
  const UnixBackend backend(directory / "app.sock");
  RelayRig rig;
  rig.UsePath(0, backend.path);
  Pair pair = RelayedOver(rig, backend);
  ResetOnClose(pair.client);
  pair.client.Reset();
  rig.UntilAtRest();
  CHECK_EQ(rig.ended(EndReason::kClientReset), 1);
  pollfd hung_up = {pair.upstream.get(), 0, 0};
  CHECK_EQ(::poll(&hung_up, 1, kWaitMs), 1);
  CHECK((hung_up.revents & POLLHUP) != 0);
}

TEST(TriesTheNextAfterAPath, "a path without a listener, a socket or permission is a backend that cannot be reached") {
  const ScratchDirectory directory;
  const UnixBackend datagrams(directory / "datagrams", 0, SOCK_DGRAM);
  const std::string dead = directory / "dead";
  { UnixBackend gone(dead); gone.path = directory / "nothing"; }
  const UnixBackend alive(directory / "app.sock");
  RelayRig rig;
  rig.UsePath(0, directory / "missing");
  rig.UsePath(1, datagrams.path);
  rig.UsePath(2, dead);
  rig.UsePath(3, alive.path);
  rig.relay().Configure([] { RelayOptions options; options.connect_retries = 3; return options; }());
  const Pair pair = RelayedOver(rig, alive);
  CHECK_EQ(Errors(rig, 0, BackendError::kUnreachable), 1);
  CHECK_EQ(Errors(rig, 1, BackendError::kUnreachable), 1);
  CHECK_EQ(Errors(rig, 2, BackendError::kRefused), 1);
  CHECK_EQ(::unlink(dead.c_str()), 0);
}

TEST(WaitsForAFullQueue, "a client waits while the backend's queue is full, and gives up when connecting has taken too long") {
  const ScratchDirectory directory;
  const UnixBackend backend(directory / "app.sock", 0);
  RelayRig rig;
  rig.UsePath(0, backend.path);
  {
    const std::vector<UniqueFd> fillers = FillQueue(backend);
    const UniqueFd client = rig.Admit();
    rig.Until([&] { return rig.active(0) == 1; });
    rig.Settle();
    CHECK_EQ(rig.relay().connection_count(), 1);
    for (size_t i = 0; i < fillers.size(); i++) CHECK(backend.TryAccept().is_open());
    const UniqueFd upstream = AcceptThrough(rig, backend);
    Send(client, "hello");
    Expect(rig, upstream, "hello");
  }
  rig.UntilAtRest();
  for (const auto& errors : rig.row(0).errors) CHECK_EQ(errors, 0);

  const std::vector<UniqueFd> fillers = FillQueue(backend);
  const UniqueFd client = rig.Admit();
  rig.Until([&] { return rig.active(0) == 1; });
  RelayOptions hasty;
  hasty.listeners.Edit(kListenerId).connect_timeout_ms = 50;
  rig.relay().Configure(hasty);
  Expect(rig, client, "(reset)");
  CHECK_EQ(Errors(rig, 0, BackendError::kTimeout), 1);
}

TEST(LeavesAFullQueue, "a client that waits for a queue leaves when it goes, and is moved when its backend is taken away") {
  const ScratchDirectory directory;
  const UnixBackend full(directory / "full.sock", 0);
  const Backend other;
  RelayRig rig;
  rig.UsePath(0, full.path);
  const std::vector<UniqueFd> fillers = FillQueue(full);
  {
    const UniqueFd client = rig.Admit();
    rig.Until([&] { return rig.active(0) == 1; });
    ResetOnClose(client);
  }
  rig.Until([&] { return rig.rejected(RejectReason::kClientGone) == 1; });
  const UniqueFd client = rig.Admit();
  rig.Until([&] { return rig.active(0) == 1; });
  rig.ports[1] = other.port;
  rig.relay().CloseBackend(0, EndReason::kBackendDrained);
  const UniqueFd upstream = AcceptThrough(rig, other);
  CHECK_EQ(rig.active(0), 0);
}

TEST(KnowsAPathThatIsGone, "an address whose entry holds another path by now leads nowhere, and is no failure of the backend") {
  const ScratchDirectory directory;
  const UnixBackend backend(directory / "app.sock");
  RelayRig rig;
  rig.UsePath(0, directory / "old.sock");
  const uint32_t old_serial = rig.path_serials[0];
  rig.UsePath(0, backend.path);
  rig.path_serials[0] = old_serial;
  const UniqueFd client = rig.Admit();
  Expect(rig, client, "(reset)");
  CHECK_EQ(Errors(rig, 0, BackendError::kOther), 1);
}

TEST(BelievesNoSerialZero, "an address without a serial leads nowhere, though the entry it names is being written") {
  RelayRig rig;
  PeerAddress to{};
  to.port = kUnixPort;
  sockaddr_un address;
  CHECK(!ReadPath(rig.WithHalfAPath(), to, address));
}

TEST(KeepsWarmUnixSockets, "connections to a Unix socket are opened ahead, used, and replaced when they have died") {
  const ScratchDirectory directory;
  const UnixBackend backend(directory / "app.sock");
  RelayRig rig(PoolOf(2));
  rig.UsePath(0, backend.path);
  const Pair first = RelayedOver(rig, backend);
  UniqueFd ahead = AcceptThrough(rig, backend);
  rig.Until([&] { return rig.block().warm_connections == 1; });
  const UniqueFd second = rig.Admit();
  Send(second, "warm");
  Expect(rig, ahead, "warm");
  CHECK_EQ(rig.block().warm_taken, 1);

  // Dies after it was handed out and before a byte has gone over it.
  UniqueFd next = AcceptThrough(rig, backend);
  rig.Until([&] { return rig.block().warm_connections > 0; });
  const UniqueFd third = rig.Admit();
  rig.Until([&] { return rig.block().warm_taken == 2; });
  next.Reset();
  rig.Settle();
  Send(third, "again");
  bool has_arrived = false;
  std::vector<UniqueFd> upstreams;
  rig.Until([&] {
    UniqueFd upstream = backend.TryAccept();
    if (upstream.is_open()) upstreams.push_back(std::move(upstream));
    for (const UniqueFd& each : upstreams) has_arrived = has_arrived || Receive(each) == "again";
    return has_arrived;
  });
}

}  // namespace edgeproxy::test
