// What goes through the kernel as one, and that it arrives as what it was.
#include "datagram_sender.h"


#include <random>
#include <vector>

#include "udp_peers.h"

namespace edgeproxy::test {

namespace {
Datagrams One(std::string& bytes) {
  const auto count = static_cast<uint32_t>(bytes.size());
  return {bytes.data(), count, count};
}

struct Totals {
  uint32_t messages = 0;
  uint64_t bytes = 0;
  uint32_t sent = 0;
  uint32_t dropped = 0;
  bool was_split = false;

  void Add(const SendResult& result) {
    messages++;
    bytes += result.bytes;
    sent += result.sent;
    dropped += result.dropped;
    was_split |= result.was_split;
  }
};

UdpName NameOf(uint16_t port) {
  UdpName name{};
  name.v4 = Loopback(port);
  return name;
}
}  // namespace

TEST(JoinsEqualSizes, "datagrams of one size for one receiver are one message, with a shorter one at the end") {
  const UdpSocket from, to;
  const UdpName name = NameOf(to.port());
  std::vector<std::string> sent = {"aaaa", "bbbb", "cccc", "d", "eeee", "", "ff", "gg", "hhh"};
  DatagramSender sender(ProbeUdpOffloads().has_gso);
  Totals totals;
  const auto flush = [&] { sender.Flush(from.fd(), [&](const SendResult& result) { totals.Add(result); }); };
  for (std::string& each : sent) sender.AddAll({1, &name, nullptr, true}, One(each), flush);
  flush();
  for (const std::string& each : sent) CHECK(to.Take().bytes == each);
  // aaaa bbbb cccc d | eeee | (empty) | ff gg | hhh
  CHECK_EQ(totals.messages, ProbeUdpOffloads().has_gso ? 5u : 9u);
  CHECK_EQ(totals.sent, 9);
  CHECK_EQ(totals.bytes, 24);
}

TEST(CutsWhatWasTogether, "what the kernel has put together on receipt arrives as datagrams, with and without its help") {
  std::string bytes(10'000, 'x');
  for (size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<char>('a' + i / 1200);
  for (const bool has_gso : {true, false}) {
    if (has_gso && !ProbeUdpOffloads().has_gso) continue;
    const UdpSocket from, to;
    const UdpName name = NameOf(to.port());
    DatagramSender sender(has_gso);
    Totals totals;
    const auto flush = [&] { sender.Flush(from.fd(), [&](const SendResult& result) { totals.Add(result); }); };
    sender.AddAll({1, &name, nullptr, true}, {bytes.data(), 10'000, 1200}, flush);
    flush();
    for (size_t at = 0; at < bytes.size(); at += 1200) CHECK(to.Take().bytes == bytes.substr(at, 1200));
    CHECK(!to.HasMore());
    CHECK_EQ(totals.sent, 9);
  }
}

TEST(SendsOneByOne, "what the kernel does not take as one goes one by one, and is not offered so again") {
  if (!ProbeUdpOffloads().has_gso) return;
  UniqueFd from(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  // Without checksums the kernel does not segment.
  const int off = 1;
  CHECK_EQ(::setsockopt(from.get(), SOL_SOCKET, SO_NO_CHECK, &off, sizeof off), 0);
  const UdpSocket to;
  const UdpName name = NameOf(to.port());
  std::string one = "aaaa", two = "bbbb";
  DatagramSender sender(true);
  Totals totals;
  const auto flush = [&] { sender.Flush(from.get(), [&](const SendResult& result) { totals.Add(result); }); };
  for (std::string* each : {&one, &two}) sender.AddAll({1, &name, nullptr, true}, One(*each), flush);
  flush();
  CHECK(totals.was_split);
  CHECK_EQ(totals.sent, 2);
  CHECK(to.Take().bytes == "aaaa");
  CHECK(to.Take().bytes == "bbbb");
}

TEST(KeepsEveryByte, "any mix of sizes and receivers arrives whole and in each receiver's order") {
  std::minstd_rand dice(7);
  for (int round = 0; round < 50; round++) {
    const UdpSocket from, receivers[3];
    const UdpName names[3] = {NameOf(receivers[0].port()), NameOf(receivers[1].port()), NameOf(receivers[2].port())};
    std::vector<std::string> sent;
    std::vector<uint32_t> tags;
    for (int i = 0; i < 150; i++) {
      sent.emplace_back(dice() % 3 == 0 ? dice() % 40 : 20, static_cast<char>('a' + i % 26));
      tags.push_back(dice() % 4 == 0 || tags.empty() ? static_cast<uint32_t>(dice() % 3) : tags.back());
    }
    DatagramSender sender(round % 2 == 0 && ProbeUdpOffloads().has_gso);
    Totals totals;
    const auto flush = [&] { sender.Flush(from.fd(), [&](const SendResult& result) { totals.Add(result); }); };
    for (size_t i = 0; i < sent.size(); i++) sender.AddAll({tags[i], &names[tags[i]], nullptr, true}, One(sent[i]), flush);
    flush();
    CHECK_EQ(totals.sent, 150);
    CHECK_EQ(totals.dropped, 0);
    for (size_t i = 0; i < sent.size(); i++) CHECK(receivers[tags[i]].Take().bytes == sent[i]);
  }
}

TEST(TellsWhatWasLost, "a receiver that is not there is a failure of its datagram alone") {
  UniqueFd from(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const UdpSocket to;
  const UdpName there = NameOf(to.port());
  UdpName nowhere = NameOf(9);
  // The kernel finds no way for it.
  nowhere.v4.sin_addr.s_addr = htonl(0xffffffff);
  std::string one = "one", two = "two!", three = "three";
  DatagramSender sender(true);
  Totals totals;
  const auto flush = [&] { sender.Flush(from.get(), [&](const SendResult& result) { totals.Add(result); }); };
  sender.AddAll({1, &there, nullptr, true}, One(one), flush);
  sender.AddAll({2, &nowhere, nullptr, true}, One(two), flush);
  sender.AddAll({1, &there, nullptr, true}, One(three), flush);
  flush();
  CHECK_EQ(totals.sent, 2);
  CHECK_EQ(totals.dropped, 1);
  CHECK(to.Take().bytes == "one");
  CHECK(to.Take().bytes == "three");
}

}  // namespace edgeproxy::test
