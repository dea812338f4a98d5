// What ended connections, connects and decisions leave in histograms.
#include "relay_peers.h"
#include "udp_peers.h"

namespace edgeproxy::test {

namespace {
uint64_t CountOf(const Histogram& histogram) {
  uint64_t sum = 0;
  for (const auto& count : histogram.counts) sum += count;
  return sum;
}
}  // namespace

TEST(ObservesEnds, "each relayed connection that ends is in the histograms of durations and of bytes both ways, once") {
  RelayRig rig;
  const Backend backend;
  rig.ports[0] = backend.port;
  {
    const Pair pair = Relayed(rig, backend);
    Send(pair.upstream, std::string(60, 'x'));
    Expect(rig, pair.client, std::string(60, 'x'));
  }
  rig.UntilAtRest();
  // The same place in the slab: what the last one moved is not counted again.
  { const Pair pair = Relayed(rig, backend); }
  rig.UntilAtRest();
  const WorkerBlock& block = rig.block();
  CHECK_EQ(CountOf(block.durations), 2);
  CHECK_EQ(CountOf(block.bytes), 2);
  CHECK_EQ(block.bytes.counts[0], 1);  // 5 bytes
  CHECK_EQ(block.bytes.counts[1], 1);  // 65 bytes
  CHECK_EQ(block.bytes.sum, 70);
}

TEST(ObservesNoRejection, "who gets no backend is a decision, and no ended connection") {
  RelayRig rig;
  const std::vector<UniqueFd> clients = rig.AdmitTogether(3);
  rig.Until([&] { return rig.rejected(RejectReason::kNoBackend) == 3; });
  CHECK_EQ(CountOf(rig.block().decisions), 3);
  CHECK(rig.block().decisions.sum > 0);
  CHECK_EQ(CountOf(rig.block().durations), 0);
}

TEST(ObservesConnects, "the connects of a backend that succeeded, in its bucket, with the time that they took") {
  RelayRig rig;
  const Backend backend;
  rig.ports[0] = DeadPort();
  rig.ports[2] = backend.port;
  const Pair one = Relayed(rig, backend), two = Relayed(rig, backend);
  CHECK_EQ(CountOf(rig.connect_times(0)), 0);
  const Histogram& times = rig.connect_times(2);
  CHECK_EQ(CountOf(times), 2);
  CHECK(times.sum > 0);
  CHECK_EQ(CountOf(rig.connect_times(1)), 0);
}

TEST(BucketsByBound, "what equals a bound is in its bucket, what is above all in the last one") {
  RelayRig rig;
  const SharedCounters counters(rig.region(), 0);
  const uint64_t micros[] = {0, 250, 251, 1'000'000, 1'000'001, UINT32_MAX};
  for (const uint64_t each : micros) counters.CountConnectTime(0, each);
  const Histogram& times = rig.connect_times(0);
  const size_t above = std::size(kConnectBoundsMicros);
  CHECK_EQ(times.counts[0], 2);
  CHECK_EQ(times.counts[1], 1);
  CHECK_EQ(times.counts[above - 1], 1);
  CHECK_EQ(times.counts[above], 2);
  CHECK_EQ(times.sum, 250 + 251 + 1'000'000 + 1'000'001 + uint64_t{UINT32_MAX});
  static_assert(std::size(kBytesBounds) < Histogram::kCounts && std::size(kDurationBoundsMs) < Histogram::kCounts);
  static_assert(std::size(kDecisionBoundsNanos) < Histogram::kCounts && above < Histogram::kCounts);
}

TEST(SpreadsABatch, "what a batch took is spread over its decisions, and its sum stays exact") {
  RelayRig rig;
  const SharedCounters counters(rig.region(), 0);
  counters.CountDecisions(4, 1'003);
  CHECK_EQ(rig.block().decisions.counts[0], 4);  // 250 ns each
  CHECK_EQ(rig.block().decisions.sum, 1'003);
}

TEST(ObservesSessions, "a UDP session is one of them when it ends, with its datagrams' bytes") {
  UdpRig rig;
  const UdpSocket backend;
  rig.ports[1] = backend.port();
  const UdpSocket client;
  client.Send(rig.port, "question");
  const Received question = rig.TakeAt(backend);
  backend.Send(question.port, "answer");
  CHECK(rig.TakeAt(client).bytes == "answer");
  CHECK_EQ(CountOf(rig.block().durations), 0);
  CHECK_EQ(CountOf(rig.block().decisions), 1);
  rig.relay().Close();
  CHECK_EQ(CountOf(rig.block().durations), 1);
  CHECK_EQ(rig.block().bytes.sum, 14);
}

}  // namespace edgeproxy::test
