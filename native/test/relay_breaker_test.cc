// What of a real connection is a success or a failure of its backend, and how long connecting may take in all.
#include "relay_peers.h"

namespace edgeproxy::test {

namespace {
constexpr int32_t kThreshold = 1000;

// Slot 0 has two failures in a row behind it.
void Prepare(RelayRig& rig, uint16_t port) {
  rig.ports[0] = port;
  rig.health().failure_threshold = kThreshold;
  rig.health().max_ejected = 1;
  rig.backend(0).failures = 2;
}

uint32_t Resets(RelayRig& rig) { return rig.row(0).errors[static_cast<size_t>(BackendError::kReset)]; }
}  // namespace

TEST(CountsARefusal, "a refused connect is a failure") {
  RelayRig rig;
  Prepare(rig, DeadPort());
  const UniqueFd client = rig.Admit();
  Expect(rig, client, "(reset)");
  rig.UntilAtRest();
  CHECK_EQ(rig.backend(0).failures, 3);
}

TEST(CountsATimeout, "a connect that is not answered in time is a failure") {
  RelayOptions options;
  options.listeners.Edit(kListenerId).connect_timeout_ms = 50;
  RelayRig rig(options);
  const Blackhole dead;
  Prepare(rig, dead.port);
  const UniqueFd client = rig.Admit();
  Expect(rig, client, "(reset)");
  rig.UntilAtRest();
  CHECK_EQ(rig.backend(0).failures, 3);
}

TEST(CountsAResetBeforeTheFirstByte, "a reset before the backend's first byte is a failure, and an error of the backend") {
  RelayRig rig;
  const Backend backend;
  Prepare(rig, backend.port);
  Pair pair = Relayed(rig, backend);
  ResetOnClose(pair.upstream);
  pair.upstream.Reset();
  Expect(rig, pair.client, "(reset)");
  rig.UntilAtRest();
  CHECK_EQ(rig.backend(0).failures, 3);
  CHECK_EQ(Resets(rig), 1);
}

TEST(CountsAFirstByte, "the backend's first byte is a success, and its reset afterwards no failure") {
  RelayRig rig;
  const Backend backend;
  Prepare(rig, backend.port);
  Pair pair = Relayed(rig, backend);
  CHECK_EQ(rig.backend(0).failures, 2);
  Send(pair.upstream, "x");
  Expect(rig, pair.client, "x");
  CHECK_EQ(rig.backend(0).failures, 0);
  ResetOnClose(pair.upstream);
  pair.upstream.Reset();
  rig.UntilAtRest();
  CHECK_EQ(rig.backend(0).failures, 0);
  CHECK_EQ(Resets(rig), 0);
}

TEST(CountsAnOrderlyEnd, "a connection that both sides end without a byte of the backend's is a success") {
  RelayRig rig;
  const Backend backend;
  Prepare(rig, backend.port);
  Pair pair = Relayed(rig, backend);
  pair.upstream.Reset();
  Expect(rig, pair.client, "(end)");
  CHECK_EQ(rig.backend(0).failures, 2);
  pair.client.Reset();
  rig.UntilAtRest();
  CHECK_EQ(rig.backend(0).failures, 0);
}

TEST(CountsNoClient, "a client that leaves, connecting or connected, says nothing of the backend") {
  RelayRig rig;
  const Blackhole dead;
  Prepare(rig, dead.port);
  UniqueFd waiting = rig.Admit();
  rig.Until([&] { return rig.active(0) == 1; });
  ResetOnClose(waiting);
  waiting.Reset();
  rig.UntilAtRest();
  const Backend backend;
  rig.ports[0] = backend.port;
  Pair pair = Relayed(rig, backend);
  ResetOnClose(pair.client);
  pair.client.Reset();
  rig.UntilAtRest();
  CHECK_EQ(rig.backend(0).failures, 2);
}

TEST(DecidesByTrials, "a trial's first byte closes a half-open breaker, its reset opens it again; others decide nothing") {
  for (const bool is_trial : {true, false}) {
    for (const bool is_success : {true, false}) {
      RelayRig rig;
      const Backend backend;
      Prepare(rig, backend.port);
      rig.health().success_threshold = 1;
      rig.health().ejected = 1;
      rig.backend(0).breaker = static_cast<int32_t>(BreakerState::kHalfOpen);
      rig.are_trials = is_trial;
      Pair pair = Relayed(rig, backend);
      if (is_success) Send(pair.upstream, "x");
      else ResetOnClose(pair.upstream);
      pair.upstream.Reset();
      Expect(rig, pair.client, is_success ? "x(end)" : "(reset)");
      pair.client.Reset();
      rig.UntilAtRest();
      const BreakerState decided = is_success ? BreakerState::kClosed : BreakerState::kOpen;
      const BreakerState expected = is_trial ? decided : BreakerState::kHalfOpen;
      CHECK_EQ(rig.backend(0).breaker, static_cast<int32_t>(expected));
      CHECK_EQ(rig.health().ejected, is_trial && is_success ? 0 : 1);
    }
  }
}

TEST(BoundsAllTries, "the time of all tries together ends connecting, whatever tries are left, and whatever each may take") {
  for (const uint64_t connect_timeout_ms : {uint64_t{60'000}, uint64_t{0}, uint64_t{40}}) {
    RelayOptions options;
    options.connect_retries = 7;
    options.listeners.Edit(kListenerId).connect_timeout_ms = connect_timeout_ms;
    options.listeners.Edit(kListenerId).connect_total_timeout_ms = 100;
    RelayRig rig(options);
    const Blackhole dead;
    for (uint16_t& port : rig.ports) port = dead.port;
    const int64_t started_ms = NowMs();
    const UniqueFd client = rig.Admit();
    Expect(rig, client, "(reset)");
    CHECK_OP(NowMs() - started_ms, >=, 95);
    rig.UntilAtRest();
    CHECK_EQ(rig.rejected(RejectReason::kConnectFailed), 1);
    // 40 ms each: two whole tries and one cut short, or fewer on a busy machine.
    const size_t tries = rig.batches.size();
    if (connect_timeout_ms == 40) CHECK_OP(tries, <=, 3);
    else CHECK_EQ(tries, 1);
  }
}

TEST(BlamesNobodyForTheTimeOfOthers, "a try that the total time cuts short is no failure of its backend, the first one is") {
  RelayOptions options;
  options.connect_retries = 3;
  options.listeners.Edit(kListenerId).connect_timeout_ms = 300;
  options.listeners.Edit(kListenerId).connect_total_timeout_ms = 350;
  RelayRig rig(options);
  const Blackhole dead;
  Prepare(rig, dead.port);
  rig.ports[1] = dead.port;
  const UniqueFd client = rig.Admit();
  Expect(rig, client, "(reset)");
  rig.UntilAtRest();
  CHECK_EQ(rig.backend(0).failures, 3);
  // None where the first try already took all of the time, on a very busy machine.
  CHECK_EQ(rig.backend(1).failures, 0);
}

}  // namespace edgeproxy::test
