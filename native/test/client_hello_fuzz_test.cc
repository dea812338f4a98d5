// ClientHellos that somebody has tampered with, from memory of exactly their size: nothing beyond it is read, the answer is
// bounded, and it does not change when more bytes come, so that a retry finds what the first look found.
#include <algorithm>
#include <cstring>
#include <memory>
#include <random>

#include "check.h"
#include "client_hello.h"
#include "hello_builder.h"

namespace edgeproxy::test {

namespace {

using Random = std::mt19937;

constexpr int kRounds = 60'000;

struct Outcome {
  HelloState state;
  uint32_t needed_bytes;
  std::string name;
  std::string alpn;
  uint32_t session;

  bool Says(const Outcome& other) const {
    return state == other.state && name == other.name && alpn == other.alpn && session == other.session;
  }
};

Outcome ReadExactly(const std::string& bytes) {
  std::unique_ptr<unsigned char[]> input(new unsigned char[bytes.size()]);
  std::memcpy(input.get(), bytes.data(), bytes.size());
  std::unique_ptr<char[]> names(new char[kNameBytes]());
  const ClientHello hello = ReadClientHello(input.get(), bytes.size(), reinterpret_cast<unsigned char*>(names.get()));
  CHECK_OP(hello.name_length, <, kAlpnAt);
  CHECK_OP(hello.alpn_length, <=, kNameBytes - kAlpnAt);
  if (hello.state != HelloState::kComplete) CHECK_EQ(hello.name_length + hello.alpn_length + hello.session, 0u);
  return {hello.state, hello.needed_bytes, std::string(names.get(), hello.name_length),
          std::string(names.get() + kAlpnAt, hello.alpn_length), hello.session};
}

size_t Below(Random& random, size_t end) { return end == 0 ? 0 : random() % end; }

std::string AnyBytes(Random& random, size_t most) {
  std::string bytes(Below(random, most + 1), '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

std::string AnyExtension(Random& random) {
  switch (random() % 6) {
    case 0: return ServerName(AnyBytes(random, 300));
    case 1: return Extension(0, AnyBytes(random, 20));
    case 2: return Alpn({AnyBytes(random, 255), "h2", AnyBytes(random, 255)});
    case 3: return Extension(16, AnyBytes(random, 20));
    case 4: return ServerName("fuzz.test");
    default: return Extension(random() & 0xffff, AnyBytes(random, 600));
  }
}

// Well-formed on the outside, anything within.
std::string AnyHello(Random& random) {
  std::string extensions;
  for (size_t i = Below(random, 8); i > 0; i--) extensions += AnyExtension(random);
  return Records(HelloMessage(extensions, AnyBytes(random, 33)), 1 + Below(random, random() % 2 == 0 ? 64 : 16'384));
}

// What parsers stumble over: lengths that are off by one, huge or 0, parts left out, repeated or cut.
void Tamper(Random& random, std::string& bytes) {
  if (bytes.empty()) return;
  const size_t at = Below(random, bytes.size());
  switch (random() % 7) {
    case 0: bytes[at] = static_cast<char>(random()); break;
    case 1: bytes[at] = static_cast<char>(bytes[at] + 1); break;
    case 2: bytes[at] = static_cast<char>(bytes[at] - 1); break;
    case 3: bytes[at] = random() % 2 == 0 ? '\0' : '\xff'; break;
    case 4: bytes.erase(at, Below(random, 40)); break;
    case 5: bytes.insert(at, bytes.substr(Below(random, bytes.size()), Below(random, 40))); break;
    default: bytes[Below(random, std::min<size_t>(bytes.size(), 60))] ^= static_cast<char>(1 << random() % 8); break;
  }
}

// Of the bytes as a whole, and of what had come before the last of them did.
void CheckPrefixes(Random& random, const std::string& bytes) {
  const Outcome whole = ReadExactly(bytes);
  const size_t size = Below(random, bytes.size());
  const Outcome part = ReadExactly(bytes.substr(0, size));
  if (part.state != HelloState::kIncomplete) {
    CHECK(part.Says(whole));
    return;
  }
  CHECK_OP(part.needed_bytes, >, size);
  CHECK_OP(part.needed_bytes, <=, kHelloWindowBytes);
  if (whole.state == HelloState::kComplete) CHECK_OP(part.needed_bytes, <=, bytes.size());
}

}  // namespace

TEST(SurvivesTampering, "captured and made-up ClientHellos, tampered with and cut off anywhere") {
  Random random(20'260);
  const std::vector<CapturedHello> captured = CapturedHellos();
  int complete = 0;
  for (int round = 0; round < kRounds; round++) {
    std::string bytes = random() % 2 == 0 ? captured[Below(random, captured.size())].bytes : AnyHello(random);
    for (size_t i = Below(random, 4); i > 0; i--) Tamper(random, bytes);
    CheckPrefixes(random, bytes);
    if (ReadExactly(bytes).state == HelloState::kComplete) complete++;
  }
  // Else the tampering would only ever be seen by the first check.
  CHECK_OP(complete, >, kRounds / 10);
  CHECK_OP(complete, <, kRounds * 9 / 10);
}

TEST(SurvivesGarbage, "random bytes, also behind the beginning of a ClientHello") {
  Random random(4'711);
  const std::string start = HelloFor("start.test");
  for (int round = 0; round < kRounds / 4; round++) {
    const std::string garbage = AnyBytes(random, 2'000);
    CheckPrefixes(random, garbage);
    CheckPrefixes(random, start.substr(0, Below(random, start.size())) + garbage);
  }
}

TEST(SaysTheSameInPieces, "the records that a captured ClientHello is spread over say nothing of it") {
  Random random(99);
  for (const CapturedHello& captured : CapturedHellos()) {
    const Outcome whole = ReadExactly(captured.bytes);
    const size_t length = captured.bytes.size() - 5;
    // Not those that came in several records already.
    if (captured.file == "openssl-small-records") continue;
    for (int round = 0; round < 100; round++) {
      std::string pieces;
      for (size_t at = 0; at < length;) {
        const size_t count = std::min(length - at, 1 + Below(random, 300));
        pieces += Records(captured.bytes.substr(5 + at, count));
        at += count;
      }
      CHECK(ReadExactly(pieces).Says(whole));
    }
  }
}

}  // namespace edgeproxy::test
