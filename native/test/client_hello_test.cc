#include "client_hello.h"

#include <cstring>
#include <memory>

#include "check.h"
#include "hello_builder.h"

namespace edgeproxy::test {

namespace {

struct Read {
  ClientHello hello;
  std::string name;
  std::string protocols;
};

// From memory of exactly that size, so that the sanitizer sees any byte read beyond it.
Read ReadExactly(const std::string& bytes) {
  std::unique_ptr<unsigned char[]> input(new unsigned char[bytes.size()]);
  std::memcpy(input.get(), bytes.data(), bytes.size());
  std::unique_ptr<unsigned char[]> names(new unsigned char[kNameBytes]());
  Read read;
  read.hello = ReadClientHello(input.get(), bytes.size(), names.get());
  const char* text = reinterpret_cast<char*>(names.get());
  read.name = std::string(text, read.hello.name_length);
  for (size_t at = 0; at < read.hello.alpn_length; at += size_t{1} + names[kAlpnAt + at]) {
    if (at > 0) read.protocols += ',';
    read.protocols += std::string(text + kAlpnAt + at + 1, names[kAlpnAt + at]);
  }
  return read;
}

HelloState StateOf(const std::string& bytes) { return ReadExactly(bytes).hello.state; }
bool IsComplete(const std::string& bytes) { return StateOf(bytes) == HelloState::kComplete; }
bool IsNotTls(const std::string& bytes) { return StateOf(bytes) == HelloState::kNotTls; }
bool IsIncomplete(const std::string& bytes) { return StateOf(bytes) == HelloState::kIncomplete; }

// What a rule sees of a client that asks for this name; the ClientHello as such is fine.
std::string NameFrom(const std::string& name) {
  const Read read = ReadExactly(HelloFor(name));
  CHECK(read.hello.state == HelloState::kComplete);
  return read.name;
}
std::string NameFromExtension(const std::string& content) {
  const Read read = ReadExactly(Records(HelloMessage(Extension(0, content) + Alpn({"h2"}))));
  CHECK(read.hello.state == HelloState::kComplete);
  CHECK(read.protocols == "h2");
  return read.name;
}
std::string ProtocolsFromExtension(const std::string& content) {
  const Read read = ReadExactly(Records(HelloMessage(Extension(16, content) + ServerName("a.test"))));
  CHECK(read.hello.state == HelloState::kComplete);
  CHECK(read.name == "a.test");
  return read.protocols;
}

}  // namespace

TEST(ReadsCaptured, "the ClientHellos of curl, OpenSSL and Chromium say what they were made to ask for") {
  const std::vector<CapturedHello> hellos = CapturedHellos();
  CHECK_OP(hellos.size(), >, 10u);
  for (const CapturedHello& captured : hellos) {
    const Read read = ReadExactly(captured.bytes);
    CHECK(read.hello.state == HelloState::kComplete);
    CHECK(read.name == captured.name);
    if (captured.file != "openssl-small-records") CHECK(read.protocols == captured.protocols);
    CHECK_EQ(read.hello.session != 0, captured.has_session);
  }
}

TEST(CutsLongAlpn, "of protocols beyond the room for them as many are kept as fit in whole") {
  for (const CapturedHello& captured : CapturedHellos()) {
    if (captured.file != "openssl-small-records") continue;
    const Read read = ReadExactly(captured.bytes);
    CHECK(read.protocols.starts_with("protocol-0,protocol-1,"));
    CHECK_OP(read.hello.alpn_length, <=, kNameBytes - kAlpnAt);
    CHECK_OP(read.hello.alpn_length, >, kNameBytes - kAlpnAt - 12);
  }
}

TEST(KnowsTruncated, "cut off anywhere, one is incomplete and needs no more than it has in the end") {
  for (const CapturedHello& captured : CapturedHellos()) {
    for (size_t size = 0; size < captured.bytes.size(); size++) {
      const ClientHello hello = ReadExactly(captured.bytes.substr(0, size)).hello;
      CHECK(hello.state == HelloState::kIncomplete);
      CHECK_OP(hello.needed_bytes, >, size);
      CHECK_OP(hello.needed_bytes, <=, captured.bytes.size());
    }
  }
}

TEST(JoinsRecords, "however many records one is spread over, it says the same") {
  const std::string message = HelloMessage(ServerName("whole.test") + Alpn({"h2", "http/1.1"}), "session");
  for (size_t record_bytes = 1; record_bytes < message.size() + 1; record_bytes++) {
    const std::string records = Records(message, record_bytes);
    CHECK(IsIncomplete(records.substr(0, records.size() - 1)));
    for (const std::string& behind : {std::string(), std::string("early data"), records}) {
      const Read read = ReadExactly(records + behind);
      CHECK(read.name == "whole.test");
      CHECK(read.protocols == "h2,http/1.1");
      CHECK(read.hello.session != 0);
    }
  }
}

TEST(LooksRarely, "waiting for the bytes needed takes few looks, also with records of a byte each") {
  for (const size_t message_bytes : {300u, 1800u, 2800u}) {
    for (const size_t record_bytes : {size_t{1}, size_t{2}, size_t{100}, message_bytes}) {
      const std::string records = Records(HelloMessage(Extension(21, std::string(message_bytes, 'p'))), record_bytes);
      int looks = 1;
      for (size_t size = 1; size < records.size(); looks++) size = ReadExactly(records.substr(0, size)).hello.needed_bytes;
      CHECK_OP(looks, <, record_bytes < 100 ? 60 : record_bytes == 100 ? 12 : 5);
    }
  }
}

TEST(BoundsSize, "one beyond the limit is none as soon as its length is known") {
  CHECK(IsComplete(Records(HelloMessage(Extension(21, std::string(16'000, 'p'))))));
  const std::string large = Records(HelloMessage(Extension(21, std::string(17'000, 'p'))));
  CHECK(IsIncomplete(large.substr(0, 8)));
  CHECK(IsNotTls(large.substr(0, 9)));
  // 3,000 bytes in records of one byte are 18,000.
  const std::string spread = Records(HelloMessage(Extension(21, std::string(3'000, 'p'))), 1);
  CHECK(IsIncomplete(spread.substr(0, 10'000)));
  CHECK(IsNotTls(spread.substr(0, kHelloWindowBytes)));
}

TEST(TakesOtherProtocols, "what cannot become a ClientHello is none with the first byte that says so") {
  for (const char* text : {"GET / HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n", "PRI * HTTP/2.0\r\n", "PROXY TCP4 ", "\r\n"}) {
    CHECK(IsNotTls(std::string(text, 1)));
  }
  CHECK(IsIncomplete(""));
  CHECK(IsIncomplete("\x16"));
  CHECK(IsNotTls("\x16\x02"));
  CHECK(IsNotTls("\x15\x03\x01"));
  CHECK(IsNotTls(std::string("\x16\x03\x01\x00\x00", 5)));  // an empty record
  CHECK(IsNotTls("\x16\x03\x01\x40\x01"));                  // 16,385 bytes
  CHECK(IsNotTls(std::string("\x16\x03\x01\x00\x05\x02", 6)));  // a ServerHello
  const std::string first = Records(HelloMessage(ServerName("a.test")), 20).substr(0, 25);
  CHECK(IsIncomplete(first));
  CHECK(IsNotTls(first + "\x17"));
}

TEST(TakesSslV2, "SSL 2.0's form for later versions is a ClientHello without a name") {
  const std::string hello("\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10", 11);
  CHECK(IsComplete(hello));
  CHECK(ReadExactly(hello).name.empty());
  for (size_t size = 1; size < 5; size++) CHECK(IsIncomplete(hello.substr(0, size)));
  CHECK(IsNotTls(std::string("\x80\x2e\x04", 3)));
  CHECK(IsNotTls(std::string("\x80\x2e\x01\x00", 4)));  // SSL 2.0 itself
}

TEST(NormalisesNames, "a name is compared in lower case, without port and without the dot at its end") {
  CHECK(NameFrom("Www.Example.TEST") == "www.example.test");
  CHECK(NameFrom("example.test.") == "example.test");
  CHECK(NameFrom("example.test:8443") == "example.test");
  CHECK(NameFrom("example.test.:443") == "example.test");
  CHECK(NameFrom("xn--bcher-kva.test") == "xn--bcher-kva.test");
  CHECK(NameFrom("_under_score.test") == "_under_score.test");
  CHECK(NameFrom("localhost") == "localhost");
  CHECK(NameFrom("192.0.2.7") == "192.0.2.7");
}

TEST(RefusesNames, "what is no name of a host leaves a client with TLS and without a name") {
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a..test"), std::string(".test"), std::string("a b"),
        std::string("a\0b", 3), std::string("\xc3\xbc.test"), std::string("2001:db8::1"), std::string("[::1]"),
        std::string("*.test"), std::string("a/b"), std::string(":443"), std::string("a.test:"), std::string("a.test:123456"),
        std::string("a.test..")}) {
    CHECK(NameFrom(name).empty());
  }
  const std::string label = std::string(50, 'a') + '.';
  const std::string longest = label + label + label + label + label;  // 255 bytes with the last dot
  CHECK(NameFrom(longest).size() == 254);
  CHECK(NameFrom(longest + "b").empty());
  CHECK(NameFrom(std::string(255, 'a')).size() == 255);
  CHECK(NameFrom(std::string(256, 'a')).empty());
  CHECK(NameFrom(std::string(16'000, 'a')).empty());
}

TEST(ReadsNameLists, "the first host name counts; other kinds and what is malformed do not") {
  const std::string other = BigEndian(1, 7) + Vector(2, "other.test");
  CHECK(NameFromExtension(Vector(2, other + HostName("a.test") + HostName("b.test"))) == "a.test");
  CHECK(NameFromExtension(Vector(2, other)).empty());
  CHECK(NameFromExtension("").empty());
  CHECK(NameFromExtension(Vector(2, "")).empty());
  CHECK(NameFromExtension(Vector(2, HostName("a.test")) + "x").empty());
  CHECK(NameFromExtension(BigEndian(2, 99) + HostName("a.test")).empty());
  CHECK(NameFromExtension(Vector(2, BigEndian(1, 0) + BigEndian(2, 99) + "a.test")).empty());
}

TEST(ReadsProtocols, "protocols are taken as they stand; what is malformed counts as none") {
  CHECK(ProtocolsFromExtension(Vector(2, Vector(1, "h2") + Vector(1, "http/1.1"))) == "h2,http/1.1");
  CHECK(ProtocolsFromExtension(Vector(2, Vector(1, std::string(255, 'p')))).size() == 255);
  CHECK(ProtocolsFromExtension("").empty());
  CHECK(ProtocolsFromExtension(Vector(2, "")).empty());
  CHECK(ProtocolsFromExtension(Vector(2, Vector(1, ""))).empty());
  CHECK(ProtocolsFromExtension(Vector(2, Vector(1, "h2") + "\x09h3")).empty());
  CHECK(ProtocolsFromExtension(Vector(2, Vector(1, "h2")) + "x").empty());
}

TEST(ReadsInAnyOrder, "extensions may come in any order, GREASE and encrypted ClientHellos among them") {
  const std::string ech = Extension(0xfe0d, std::string(200, 'e'));
  for (const std::string& extensions :
       {Grease() + ServerName("a.test") + ech + Alpn({"h2"}) + Grease(), Alpn({"h2"}) + ech + Grease() + ServerName("a.test")}) {
    const Read read = ReadExactly(Records(HelloMessage(extensions)));
    CHECK(read.name == "a.test");
    CHECK(read.protocols == "h2");
  }
}

TEST(RefusesMalformed, "a ClientHello whose parts do not add up is none") {
  CHECK(IsNotTls(Records(HelloMessage(ServerName("a.test") + ServerName("b.test")))));
  CHECK(IsNotTls(Records(HelloMessage(Alpn({"h2"}) + Alpn({"h2"})))));
  CHECK(IsNotTls(Records(HelloMessage(ServerName("a.test"), std::string(33, 's')))));
  CHECK(IsNotTls(Records(HelloMessage(ServerName("a.test"), "", 0x203))));
  CHECK(IsNotTls(Records(HelloMessage("\x01"))));
  CHECK(IsNotTls(Records(HelloMessage(BigEndian(2, 5) + BigEndian(2, 9) + "short"))));
  const std::string body = HelloMessage(ServerName("a.test")).substr(4);
  CHECK(IsNotTls(Records(BigEndian(1, 1) + Vector(3, body + "x"))));
  CHECK(IsNotTls(Records(BigEndian(1, 1) + Vector(3, body.substr(0, body.size() - 1)))));
  CHECK(IsNotTls(Records(BigEndian(1, 1) + Vector(3, ""))));
  CHECK(IsComplete(Records(HelloMessage(""))));
  // SSL 3.0 and TLS 1.0 know ClientHellos without any extensions.
  CHECK(IsComplete(Records(BigEndian(1, 1) + Vector(3, body.substr(0, 2 + 32 + 1 + 2 + 4 + 2)))));
}

TEST(HashesSessions, "equal session ids have equal hashes, others have others, and none has 0") {
  const auto session = [](const std::string& id) { return ReadExactly(Records(HelloMessage("", id))).hello.session; };
  CHECK_EQ(session(""), 0);
  CHECK(session("a") != 0);
  CHECK_EQ(session(std::string(32, 's')), session(std::string(32, 's')));
  CHECK(session("a") != session("b"));
}

}  // namespace edgeproxy::test
