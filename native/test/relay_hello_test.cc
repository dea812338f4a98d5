// Clients of listeners that look for a ClientHello, from the first byte to the backend.
#include "hello_builder.h"
#include "relay_peers.h"

namespace edgeproxy::test {

namespace {

RelayOptions Peeking(uint64_t hello_timeout_ms = 10'000) {
  RelayOptions options;
  ListenerSettings& listener = options.listeners.Edit(kListenerId);
  listener.flags = kListenerHello;
  listener.hello_timeout_ms = hello_timeout_ms;
  return options;
}

// What was asked of route(), in words.
struct Asked {
  RelayRig& rig;
  std::vector<std::string> requests;

  explicit Asked(RelayRig& to) : rig(to) {
    rig.choose = [this, decide = rig.choose](const RouteRequest& request) {
      requests.push_back(Describe(request));
      return decide(request);
    };
  }

  std::string Describe(const RouteRequest& request) {
    if ((request.flags & kRequestAdmit) != 0) return "admit";
    const bool is_tls = (request.flags & kRequestTls) != 0;
    return std::string(is_tls ? "tls" : "plain") + " " + rig.NameOf(request) + " " + rig.AlpnOf(request);
  }
  void UntilAsked(size_t count) {
    rig.Until([&] { return requests.size() >= count; });
  }
};

using Requests = std::vector<std::string>;
const std::string kHello = Records(HelloMessage(ServerName("Www.Example.test") + Alpn({"h2"})));
const std::string kAsTls = "tls www.example.test \x02h2";
const std::string kAsPlain = "plain  ";

UniqueFd AdmitWith(RelayRig& rig, const std::string& bytes) {
  UniqueFd client = rig.Admit();
  Send(client, bytes);
  return client;
}

// The connection works both ways, also for single bytes.
void CheckRelayed(RelayRig& rig, const UniqueFd& client, const UniqueFd& upstream) {
  for (const char* byte : {"a", "b"}) {
    Send(client, byte);
    Expect(rig, upstream, byte);
    Send(upstream, byte);
    Expect(rig, client, byte);
  }
}

}  // namespace

TEST(AsksOnce, "a ClientHello in hand is part of the first question, and the backend gets every byte of it") {
  RelayRig rig(Peeking());
  const Backend backend;
  rig.ports[1] = backend.port;
  Asked asked(rig);
  const UniqueFd client = AdmitWith(rig, kHello + "and more");
  const UniqueFd upstream = AcceptThrough(rig, backend);
  Expect(rig, upstream, kHello + "and more");
  CheckRelayed(rig, client, upstream);
  CHECK(asked.requests == Requests{kAsTls});
}

TEST(LooksOnlyWhereAsked, "a listener without the flag asks with no name, and its silent clients are routed at once") {
  RelayRig rig;
  const Backend backend;
  rig.ports[0] = backend.port;
  Asked asked(rig);
  const UniqueFd client = AdmitWith(rig, kHello);
  Expect(rig, AcceptThrough(rig, backend), kHello);
  const UniqueFd silent = rig.Admit();
  AcceptThrough(rig, backend);
  CHECK(asked.requests == (Requests{kAsPlain, kAsPlain}));
}

TEST(WaitsForLateHellos, "who sends nothing at once is let in first, counted once, and routed when its ClientHello comes") {
  RelayRig rig(Peeking());
  const Backend backend;
  rig.ports[0] = backend.port;
  rig.client_word = RelayRig::kClientWord;
  Asked asked(rig);
  UniqueFd client = rig.Admit();
  asked.UntilAsked(1);
  rig.Settle();
  CHECK(asked.requests == Requests{"admit"});
  CHECK_EQ(rig.client_connections(), 1);
  CHECK_EQ(rig.active(0), 0);
  Send(client, kHello);
  UniqueFd upstream = AcceptThrough(rig, backend);
  Expect(rig, upstream, kHello);
  CheckRelayed(rig, client, upstream);
  CHECK(asked.requests == (Requests{"admit", kAsTls}));
  CHECK_EQ(rig.client_connections(), 1);
  client.Reset();
  upstream.Reset();
  rig.UntilAtRest();
}

TEST(JoinsPieces, "a ClientHello byte by byte, in any number of records, is found, and single bytes flow afterwards") {
  for (const size_t record_bytes : {16'384u, 50u, 1u}) {
    RelayRig rig(Peeking());
    const Backend backend;
    rig.ports[0] = backend.port;
    Asked asked(rig);
    const UniqueFd client = rig.Admit();
    const std::string hello = Records(HelloMessage(ServerName("pieces.test")), record_bytes);
    for (const char byte : hello) {
      Send(client, std::string(1, byte));
      rig.Settle();
    }
    const UniqueFd upstream = AcceptThrough(rig, backend);
    Expect(rig, upstream, hello);
    CheckRelayed(rig, client, upstream);
    CHECK(asked.requests == (Requests{"admit", "tls pieces.test "}));
  }
}

TEST(SpansSegments, "a large ClientHello whose second half comes later is waited for") {
  RelayRig rig(Peeking());
  const Backend backend;
  rig.ports[0] = backend.port;
  Asked asked(rig);
  const std::string hello = Records(HelloMessage(Extension(51, std::string(15'000, 'k')) + ServerName("large.test")));
  const UniqueFd client = AdmitWith(rig, hello.substr(0, 1400));
  asked.UntilAsked(1);
  rig.Settle();
  Send(client, hello.substr(1400));
  const UniqueFd upstream = AcceptThrough(rig, backend);
  Expect(rig, upstream, hello);
  CheckRelayed(rig, client, upstream);
  CHECK(asked.requests == (Requests{"admit", "tls large.test "}));
}

TEST(RoutesPlainClients, "what cannot be a ClientHello is routed with its first byte, and 64 KiB of garbage pass unchanged") {
  for (const std::string& start : {std::string("GET / HTTP/1.1\r\n"), std::string("\x16\x03\x01\x40\x00\x01\x00\xff\xff", 9)}) {
    RelayRig rig(Peeking());
    const Backend backend;
    rig.ports[0] = backend.port;
    Asked asked(rig);
    const std::string garbage = start + std::string((64 << 10) - start.size(), '\x16');
    const UniqueFd client = AdmitWith(rig, garbage);
    const UniqueFd upstream = AcceptThrough(rig, backend);
    Expect(rig, upstream, garbage);
    CheckRelayed(rig, client, upstream);
    CHECK(asked.requests == Requests{kAsPlain});
  }
}

TEST(EndsWaiting, "who sends nothing, or a part only, is routed without a name when its time is over") {
  for (const std::string& part : {std::string(), kHello.substr(0, 40)}) {
    RelayRig rig(Peeking(50));
    const Backend backend;
    rig.ports[0] = backend.port;
    Asked asked(rig);
    UniqueFd client = rig.Admit();
    if (!part.empty()) Send(client, part);
    UniqueFd upstream = AcceptThrough(rig, backend);
    Send(upstream, "greeting");
    Expect(rig, client, "greeting");
    if (!part.empty()) Expect(rig, upstream, part);
    CheckRelayed(rig, client, upstream);
    CHECK(asked.requests == (Requests{"admit", kAsPlain}));
    client.Reset();
    upstream.Reset();
    rig.UntilAtRest();
  }
}

TEST(TakesEnds, "a client that ends before its ClientHello does is routed as it is, and its end is passed on") {
  for (const std::string& part : {std::string(), kHello.substr(0, 40)}) {
    for (const bool is_late : {false, true}) {
      RelayRig rig(Peeking());
      const Backend backend;
      rig.ports[0] = backend.port;
      Asked asked(rig);
      const UniqueFd client = rig.Admit();
      if (is_late) {
        asked.UntilAsked(1);
        rig.Settle();
      }
      if (!part.empty()) Send(client, part);
      ::shutdown(client.get(), SHUT_WR);
      const UniqueFd upstream = AcceptThrough(rig, backend);
      Expect(rig, upstream, part + "(end)");
      CHECK(asked.requests.back() == kAsPlain);
    }
  }
}

TEST(NoticesResets, "a client that resets while its ClientHello is awaited is gone, and nothing of it is left") {
  for (const std::string& part : {std::string(), kHello.substr(0, 40)}) {
    RelayRig rig(Peeking());
    Asked asked(rig);
    UniqueFd client = rig.Admit();
    if (!part.empty()) Send(client, part);
    asked.UntilAsked(1);
    rig.Settle();
    ResetOnClose(client);
    client.Reset();
    rig.UntilAtRest();
    CHECK_EQ(rig.rejected(RejectReason::kClientGone), 1);
    CHECK(asked.requests == Requests{"admit"});
  }
}

TEST(RefusesBeforeWaiting, "who is not let in is not waited for") {
  RelayRig rig(Peeking());
  rig.client_word = RelayRig::kClientWord;
  rig.choose = [](const RouteRequest&) { return -1 - static_cast<int32_t>(RejectReason::kTooManyPerIp); };
  const UniqueFd client = rig.Admit();
  Expect(rig, client, "(reset)");
  rig.UntilAtRest();
  CHECK_EQ(rig.rejected(RejectReason::kTooManyPerIp), 1);
}

TEST(BelievesNoSecondAdmission, "an answer that lets a client in where nobody asked for that is a refusal") {
  RelayRig rig(Peeking());
  rig.choose = [](const RouteRequest&) { return kSlotAdmitted; };
  const UniqueFd silent = rig.Admit();
  rig.Settle();
  Send(silent, kHello);
  rig.UntilAtRest();
  CHECK_EQ(rig.rejected(RejectReason::kNoBackend), 1);
}

TEST(AsksAgainWithTheName, "a retry after a failed connect has the name, the protocols and the destination again") {
  RelayOptions options = Peeking();
  options.listeners.Edit(kListenerId).flags |= kListenerDestination;
  RelayRig rig(options);
  const Backend backend;
  rig.ports[0] = DeadPort();
  rig.ports[1] = backend.port;
  std::vector<uint32_t> destinations;
  Asked asked(rig);
  rig.choose = [&, decide = rig.choose](const RouteRequest& request) {
    CHECK_EQ(request.destination[2], 0xffffu);
    destinations.push_back(request.destination[3]);
    return decide(request);
  };
  const UniqueFd client = AdmitWith(rig, kHello);
  Expect(rig, AcceptThrough(rig, backend), kHello);
  CHECK(asked.requests == (Requests{kAsTls, kAsTls}));
  CHECK(destinations == (std::vector<uint32_t>{INADDR_LOOPBACK, INADDR_LOOPBACK}));
}

TEST(LeavesNothingBehind, "a request in a used place of the batch has nothing of the client before") {
  RelayOptions options = Peeking();
  options.listeners.Edit(kListenerId).flags |= kListenerDestination;
  RelayRig rig(options);
  const Backend backend;
  rig.ports[0] = backend.port;
  Asked asked(rig);
  const UniqueFd first = AdmitWith(rig, kHello);
  Expect(rig, AcceptThrough(rig, backend), kHello);
  options.listeners.Edit(kListenerId).flags = 0;
  rig.relay().Configure(options);
  rig.choose = [&, decide = rig.choose](const RouteRequest& request) {
    for (const uint32_t word : request.destination) CHECK_EQ(word, 0u);
    CHECK_EQ(request.session, 0);
    return decide(request);
  };
  const UniqueFd second = AdmitWith(rig, kHello);
  Expect(rig, AcceptThrough(rig, backend), kHello);
  CHECK(asked.requests == (Requests{kAsTls, kAsPlain}));
}

TEST(FollowsConfigure, "a shorter time for ClientHellos holds for who waits already") {
  RelayRig rig(Peeking(kWaitMs * 10));
  const Backend backend;
  rig.ports[0] = backend.port;
  Asked asked(rig);
  const UniqueFd client = AdmitWith(rig, kHello.substr(0, 10));
  asked.UntilAsked(1);
  rig.Settle();
  rig.relay().Configure(Peeking(1));
  const UniqueFd upstream = AcceptThrough(rig, backend);
  Expect(rig, upstream, kHello.substr(0, 10));
  CheckRelayed(rig, client, upstream);
}

TEST(RestoresWithoutFlag, "who waits while its listener stops asking for names is routed with the next byte, and bytes flow singly") {
  RelayRig rig(Peeking());
  const Backend backend;
  rig.ports[0] = backend.port;
  Asked asked(rig);
  const UniqueFd client = AdmitWith(rig, kHello.substr(0, 40));
  asked.UntilAsked(1);
  rig.Settle();
  rig.relay().Configure(RelayOptions{});
  Send(client, kHello.substr(40));
  const UniqueFd upstream = AcceptThrough(rig, backend);
  Expect(rig, upstream, kHello);
  CheckRelayed(rig, client, upstream);
  CHECK(asked.requests == (Requests{"admit", kAsPlain}));
}

TEST(EndsWithTheRelay, "a relay that closes resets who waits; one that drains still routes them; a closed backend is not theirs") {
  RelayRig rig(Peeking());
  const Backend backend;
  rig.ports[0] = backend.port;
  Asked asked(rig);
  const UniqueFd first = rig.Admit();
  const UniqueFd second = rig.Admit();
  asked.UntilAsked(2);
  rig.Settle();
  rig.relay().CloseBackend(0, EndReason::kBackendUnhealthy);
  rig.relay().Drain();
  CHECK_EQ(rig.relay().connection_count(), 2);
  Send(first, kHello);
  Expect(rig, AcceptThrough(rig, backend), kHello);
  rig.relay().Close();
  Expect(rig, second, "(reset)");
  CHECK_EQ(rig.rejected(RejectReason::kShutdown), 1);
  CHECK_EQ(rig.block().active, 0);
}

TEST(HoldsMany, "hundreds who wait at once are each routed by their own name") {
  constexpr uint32_t kMany = 300;
  RelayRig rig(Peeking());
  const Backend backend;
  rig.ports[0] = backend.port;
  Asked asked(rig);
  std::vector<UniqueFd> clients;
  for (uint32_t i = 0; i < kMany; i++) {
    clients.push_back(rig.Admit());
    rig.Settle();
  }
  asked.UntilAsked(kMany);
  for (uint32_t i = 0; i < kMany; i++) Send(clients[i], HelloFor("n" + std::to_string(i) + ".test"));
  asked.UntilAsked(2 * kMany);
  std::vector<bool> was_asked(kMany);
  for (uint32_t i = 0; i < kMany; i++) {
    const std::string& request = asked.requests[kMany + i];
    CHECK(request.starts_with("tls n"));
    was_asked[static_cast<size_t>(std::stoi(request.substr(5)))] = true;
  }
  for (const bool was : was_asked) CHECK(was);
}

}  // namespace edgeproxy::test
