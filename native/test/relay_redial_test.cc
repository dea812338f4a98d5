// A warm connection that dies under its client: what epoll still has to say of it must not hit the socket in its place.
#include <utility>
#include <vector>

#include "hello_builder.h"
#include "pool_world.h"

namespace edgeproxy::test {

namespace {
struct Taken {
  explicit Taken(const RelayOptions& options) : world(options) {
    ahead = world.Start();
    client = world.rig.Admit();
    world.rig.Until([&] { return world.taken() == 1; });
    world.AcceptFor(kSettleMs);
  }
  static constexpr int kSettleMs = 50;
  World world;
  UniqueFd ahead;
  UniqueFd client;
};

// The client's, among whatever the pool opens: the one that gets bytes.
UniqueFd AcceptBytes(RelayRig& rig, const Backend& backend) {
  std::vector<UniqueFd> accepted;
  UniqueFd found;
  rig.Until([&] {
    for (UniqueFd one; (one = backend.TryAccept()).is_open();) accepted.push_back(std::move(one));
    for (UniqueFd& one : accepted) {
      if (one.is_open() && !found.is_open() && IsReadable(one.get(), 0)) found = std::move(one);
    }
    return found.is_open();
  });
  return found;
}
// The relay's socket, in this process too.
int OtherEndOf(const UniqueFd& upstream) {
  sockaddr_in peer{}, own{};
  socklen_t length = sizeof peer;
  CHECK_EQ(::getpeername(upstream.get(), reinterpret_cast<sockaddr*>(&peer), &length), 0);
  int fd = 2;
  do {
    length = sizeof own;
    own = {};
    CHECK_OP(++fd, <, 1024);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &length);
  } while (own.sin_family != AF_INET || own.sin_port != peer.sin_port);
  return fd;
}
}  // namespace

TEST(SurvivesTheReset, "a reset that comes with the client's first bytes costs the client nothing and is no failure") {
  for (const bool is_reset : {false, true}) {
    Taken taken(PoolOf(1));
    RelayRig& rig = taken.world.rig;
    rig.health().failure_threshold = 5;
    if (is_reset) ResetOnClose(taken.ahead);
    Send(taken.client, "first");
    taken.ahead.Reset();
    const UniqueFd upstream = AcceptBytes(rig, taken.world.backend);
    Expect(rig, upstream, "first");
    Send(upstream, "answer");
    Expect(rig, taken.client, "answer");
    CHECK_EQ(rig.rejected(RejectReason::kConnectFailed), 0);
    CHECK_EQ(rig.backend(0).failures, 0);
    CHECK_EQ(rig.active(0), 2);
  }
}

TEST(SurvivesTheListenersEnd, "one whose backend is gone altogether by its first bytes is tried at the next backend") {
  Taken taken(PoolOf(1));
  RelayRig& rig = taken.world.rig;
  const Backend other;
  rig.ports[1] = other.port;
  taken.world.backend.StopListening();
  Send(taken.client, "first");
  taken.ahead.Reset();
  const UniqueFd upstream = AcceptBytes(rig, other);
  Expect(rig, upstream, "first");
  CHECK_EQ(rig.active(0), 1);
  CHECK_EQ(rig.active(1), 1);
}

TEST(KeepsTheName, "a retry has the name also where the ClientHello, or a part of it, was read for the dead connection") {
  // The larger one is longer than a read.
  const std::string small = HelloFor("redial.test");
  const std::string large = Records(HelloMessage(Extension(51, std::string(6'000, 'k')) + ServerName("redial.test")));
  for (const std::string& hello : {small, large}) {
    RelayOptions options = PoolOf(1);
    options.copy_buffer_bytes = kLeastCopyBufferBytes;
    Taken taken(options);
    RelayRig& rig = taken.world.rig;
    const Backend other;
    rig.ports[1] = other.port;
    options.listeners.Edit(kListenerId).flags = kListenerHello;
    rig.relay().Configure(options);
    std::vector<std::string> names;
    rig.choose = [&, decide = rig.choose](const RouteRequest& request) {
      names.push_back(rig.NameOf(request));
      return decide(request);
    };
    taken.world.backend.StopListening();
    // As if a reset had come between the look and the first send.
    ::shutdown(OtherEndOf(taken.ahead), SHUT_WR);
    Send(taken.client, hello);
    const UniqueFd upstream = AcceptBytes(rig, other);
    Expect(rig, upstream, hello);
    CHECK(names == std::vector<std::string>{"redial.test"});
  }
}

TEST(GivesBackOnce, "a connect in its place that fails at once gives the place back once") {
  Taken taken(PoolOf(1));
  RelayRig& rig = taken.world.rig;
  // As with no free local port: there is no connecting to a broadcast address.
  rig.address = INADDR_BROADCAST;
  const UniqueFd other = rig.Admit();
  rig.Until([&] { return rig.rejected(RejectReason::kConnectFailed) == 1; });
  Send(taken.client, "first");
  taken.ahead.Reset();
  rig.Until([&] { return rig.relay().connection_count() == 1; });
  rig.Settle();
  CHECK_EQ(rig.active(0), 1);
  CHECK_EQ(rig.row(0).share, 1);
}

}  // namespace edgeproxy::test
