// How a client gets its backend: what the host is asked, which backends are tried, and who is turned away.
#include <algorithm>
#include <vector>

#include "relay_peers.h"

namespace edgeproxy::test {

TEST(TriesTheNext, "a refused connect is tried elsewhere at once, and the host is told what was tried") {
  RelayRig rig;
  const Backend backend;
  rig.ports[0] = DeadPort();
  rig.ports[1] = DeadPort();
  rig.ports[3] = backend.port;
  const UniqueFd client = rig.Admit();
  const UniqueFd upstream = AcceptThrough(rig, backend);
  CHECK_EQ(rig.row(0).errors[static_cast<size_t>(BackendError::kRefused)], 1);
  CHECK_EQ(rig.row(1).errors[static_cast<size_t>(BackendError::kRefused)], 1);
  CHECK_EQ(rig.active(0), 0);
  CHECK_EQ(rig.active(1), 0);
  CHECK_EQ(rig.active(3), 1);
  CHECK_EQ(rig.batches.size(), 3);
}

TEST(TakesClientsFromABackendThatIsClosed, "who was relayed is reset, who was connecting gets another backend, others stay") {
  RelayRig rig;
  const Backend backend;
  const Backend other;
  const Blackhole hole;
  rig.ports[0] = backend.port;
  const UniqueFd relayed = rig.Admit();
  const UniqueFd upstream = AcceptThrough(rig, backend);
  rig.ports[0] = hole.port;
  const UniqueFd connecting = rig.Admit();
  rig.Until([&] { return rig.active(0) == 2; });
  rig.ports[1] = other.port;
  rig.relay().CloseBackend(2, EndReason::kBackendUnhealthy);
  CHECK_EQ(rig.active(0), 2);
  rig.relay().CloseBackend(0, EndReason::kBackendUnhealthy);
  CHECK_EQ(rig.active(0), 0);
  CHECK_EQ(rig.active(1), 1);
  Expect(rig, relayed, "(reset)");
  Expect(rig, upstream, "(reset)");
  const UniqueFd second = AcceptThrough(rig, other);
  Send(connecting, "hello");
  Expect(rig, second, "hello");
  CHECK_EQ(rig.ended(EndReason::kBackendUnhealthy), 1);
  for (const auto& errors : rig.row(0).errors) CHECK_EQ(errors, 0);
}

TEST(GivesUp, "when the tries are used up the client is reset, whoever else there may be") {
  RelayOptions options;
  options.connect_retries = 1;
  RelayRig rig(options);
  for (uint16_t& port : rig.ports) port = DeadPort();
  const UniqueFd client = rig.Admit();
  Expect(rig, client, "(reset)");
  rig.UntilAtRest();
  CHECK_EQ(rig.rejected(RejectReason::kConnectFailed), 1);
  CHECK_EQ(rig.batches.size(), 2);
}

TEST(TriesAsOftenAsItMay, "as many tries as a request has room for do not overflow it") {
  RelayOptions options;
  options.connect_retries = kMaxTries - 1;
  RelayRig rig(options);
  rig.ports[0] = DeadPort();
  int32_t most_tries = 0;
  rig.choose = [&](const RouteRequest& request) {
    most_tries = std::max(most_tries, request.tries);
    return 0;
  };
  const UniqueFd client = rig.Admit();
  Expect(rig, client, "(reset)");
  CHECK_EQ(rig.batches.size(), kMaxTries);
  CHECK_EQ(most_tries, kMaxTries - 1);
  rig.UntilAtRest();
}

TEST(RejectsForEachReason, "a client without a backend is reset and counted by the host's reason, nonsense as no backend") {
  RelayRig rig;
  std::vector<int32_t> answers = {-1 - int32_t{kRejectReasons}, -1000, INT32_MIN, INT32_MAX, int32_t{kBackends}};
  for (size_t reason = 0; reason < kRejectReasons; reason++) answers.push_back(-1 - static_cast<int32_t>(reason));
  for (const int32_t answer : answers) {
    rig.choose = [&](const RouteRequest&) { return answer; };
    const UniqueFd client = rig.Admit();
    Expect(rig, client, "(reset)");
    rig.UntilAtRest();
  }
  for (size_t reason = 1; reason < kRejectReasons; reason++) CHECK_EQ(rig.rejected(static_cast<RejectReason>(reason)), 1);
  CHECK_EQ(rig.rejected(RejectReason::kNoBackend), 1 + 5);
}

TEST(AsksInBatches, "clients that come together are asked about together, in batches no larger than agreed") {
  RelayRig rig;
  std::vector<std::vector<UniqueFd>> clients;
  for (int i = 0; i < 7; i++) clients.push_back(rig.AdmitTogether(kMessageDescriptors));
  constexpr uint32_t kAll = 7 * kMessageDescriptors;
  rig.Until([&] { return rig.block().accepted == kAll && rig.relay().connection_count() == 0; });
  uint32_t asked = 0;
  for (const uint32_t count : rig.batches) {
    CHECK_OP(count, <=, kBatchCapacity);
    asked += count;
  }
  CHECK_EQ(asked, kAll);
  CHECK_OP(rig.batches.size(), <=, 4);
  rig.CheckAtRest();
}

TEST(ForgetsAGoneClient, "a client that resets while its backend does not answer gives its place back") {
  RelayRig rig;
  const Blackhole backend;
  rig.ports[0] = backend.port;
  UniqueFd client = rig.Admit();
  rig.Until([&] { return rig.active(0) == 1; });
  ResetOnClose(client);
  client.Reset();
  rig.UntilAtRest();
  CHECK_EQ(rig.rejected(RejectReason::kClientGone), 1);
}

TEST(ResetsTheBackendOfAGoneClient, "the backend of a client that has reset before its connect was seen is reset too, not ended") {
  RelayRig rig;
  const Backend backend;
  rig.ports[0] = backend.port;
  UniqueFd client = rig.Admit();
  ResetOnClose(client);
  client.Reset();
  const UniqueFd upstream = AcceptThrough(rig, backend);
  rig.UntilAtRest();
  Expect(rig, upstream, "(reset)");
  CHECK_EQ(rig.rejected(RejectReason::kClientGone), 1);
}

}  // namespace edgeproxy::test
