#include "client_hello.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "byte_reader.h"
#include "server_name.h"

namespace edgeproxy {

namespace {
constexpr unsigned char kHandshakeRecord = 22;
constexpr unsigned char kMajorVersion = 3;  // of SSL 3.0 and all of TLS
constexpr unsigned char kClientHelloType = 1;
constexpr size_t kRecordHeaderBytes = 5;
constexpr size_t kMaxRecordBytes = 16 << 10;
constexpr size_t kHandshakeHeaderBytes = 4;
constexpr size_t kRandomBytes = 32;
constexpr size_t kMaxSessionIdBytes = 32;
constexpr uint32_t kServerNameExtension = 0;
constexpr uint32_t kAlpnExtension = 16;
constexpr uint32_t kHostName = 0;
constexpr size_t kMaxAlpnBytes = kNameBytes - kAlpnAt;
static_assert(kMaxServerNameBytes < kAlpnAt);

ClientHello Answer(HelloState state) { return {state, 0, 0, 0, 0}; }

ClientHello Need(size_t bytes) {
  if (bytes > kHelloWindowBytes) return Answer(HelloState::kNotTls);
  return {HelloState::kIncomplete, static_cast<uint32_t>(bytes), 0, 0, 0};
}

// FNV-1a; never 0, which says that there is no id.
uint32_t HashOf(ByteReader id) {
  if (id.is_empty()) return 0;
  uint32_t hash = 0x811c9dc5;
  for (size_t i = 0; i < id.size(); i++) hash = (hash ^ id.data()[i]) * 0x01000193;
  return hash == 0 ? 1 : hash;
}

// The handshake message at the front of a connection, out of the records that carry it.
class Handshake {
 public:
  Handshake(unsigned char* bytes, size_t size) : bytes_(bytes), size_(size) {}

  // Complete: `message` is the ClientHello without its header. Joins the records where there are several.
  ClientHello Join(ByteReader& message) {
    size_t at = 0;
    for (;;) {
      if (!CanBeHeader(at)) return Answer(HelloState::kNotTls);
      if (size_ - at < kRecordHeaderBytes) return Need(at + kRecordHeaderBytes + Missing());
      const size_t length = size_t{bytes_[at + 3]} << 8 | bytes_[at + 4];
      at += kRecordHeaderBytes;
      Append(at, std::min(length, size_ - at));
      if (!CanBeClientHello()) return Answer(HelloState::kNotTls);
      if (Missing() == 0) break;
      if (size_ - at < length) return Need(NeededBehind(at + length));
      at += length;
    }
    message = ByteReader(joined() + kHandshakeHeaderBytes, total() - kHandshakeHeaderBytes);
    return Answer(HelloState::kComplete);
  }

 private:
  // As far as it is there.
  bool CanBeHeader(size_t at) const {
    const size_t here = size_ - at;
    if (here > 0 && bytes_[at] != kHandshakeRecord) return false;
    if (here > 1 && bytes_[at + 1] != kMajorVersion) return false;
    if (here < kRecordHeaderBytes) return true;
    // An empty record would make no progress, and no handshake may have one (RFC 8446, 5.1).
    const size_t length = size_t{bytes_[at + 3]} << 8 | bytes_[at + 4];
    return length > 0 && length <= kMaxRecordBytes;
  }
  bool CanBeClientHello() const {
    if (joined_ > 0 && joined()[0] != kClientHelloType) return false;
    return joined_ < kHandshakeHeaderBytes || total() <= kHandshakeHeaderBytes + kMaxHelloBytes;
  }

  void Append(size_t from, size_t count) {
    // The first record stays where it is.
    if (joined_ > 0) std::memmove(joined() + joined_, bytes_ + from, count);
    joined_ += count;
  }

  unsigned char* joined() const { return bytes_ + kRecordHeaderBytes; }
  // Of the whole message; only once its header is there.
  size_t total() const {
    const unsigned char* header = joined();
    return kHandshakeHeaderBytes + (size_t{header[1]} << 16 | size_t{header[2]} << 8 | header[3]);
  }
  // How many bytes of the message are still to come, at the least.
  size_t Missing() const {
    const size_t all = joined_ < kHandshakeHeaderBytes ? kHandshakeHeaderBytes : total();
    return all > joined_ ? all - joined_ : 0;
  }
  // The same from the front of the connection on, with a record that ends there and has not come in full.
  size_t NeededBehind(size_t record_end) const {
    const size_t in_record = record_end - size_;
    const size_t missing = Missing();
    return missing <= in_record ? size_ + missing : record_end + kRecordHeaderBytes + (missing - in_record);
  }

  unsigned char* bytes_;
  size_t size_;
  // Bytes of the message that stand in a row at joined().
  size_t joined_ = 0;
};

// The first host name of the list: there may be one only (RFC 6066, 3).
uint32_t ServerNameIn(ByteReader extension, unsigned char* to) {
  ByteReader names;
  if (!extension.Vector(2, names) || !extension.is_empty()) return 0;
  while (!names.is_empty()) {
    uint32_t type = 0;
    ByteReader name;
    if (!names.Number(1, type) || !names.Vector(2, name)) return 0;
    if (type == kHostName) return static_cast<uint32_t>(ReadServerName(name.data(), name.size(), to));
  }
  return 0;
}

// As many whole protocols as there is room for.
uint32_t ProtocolsIn(ByteReader extension, unsigned char* to) {
  ByteReader list;
  if (!extension.Vector(2, list) || !extension.is_empty()) return 0;
  const ByteReader all = list;
  size_t fitting = 0;
  while (!list.is_empty()) {
    ByteReader protocol;
    if (!list.Vector(1, protocol) || protocol.is_empty()) return 0;
    const size_t end = all.size() - list.size();
    if (end <= kMaxAlpnBytes) fitting = end;
  }
  if (fitting > 0) std::memcpy(to, all.data(), fitting);
  return static_cast<uint32_t>(fitting);
}

// False where an extension is cut off or comes twice.
bool ReadExtensions(ByteReader extensions, unsigned char* names, ClientHello& hello) {
  bool has_name = false;
  bool has_alpn = false;
  while (!extensions.is_empty()) {
    uint32_t type = 0;
    ByteReader content;
    if (!extensions.Number(2, type) || !extensions.Vector(2, content)) return false;
    if (type == kServerNameExtension) {
      if (std::exchange(has_name, true)) return false;
      hello.name_length = ServerNameIn(content, names);
    } else if (type == kAlpnExtension) {
      if (std::exchange(has_alpn, true)) return false;
      hello.alpn_length = ProtocolsIn(content, names + kAlpnAt);
    }
  }
  return true;
}

// RFC 8446, 4.1.2, which is also the form of all versions since SSL 3.0.
bool ReadMessage(ByteReader message, unsigned char* names, ClientHello& hello) {
  uint32_t version = 0;
  ByteReader session_id;
  ByteReader ciphers;
  ByteReader compressions;
  if (!message.Number(2, version) || version >> 8 != kMajorVersion || !message.Skip(kRandomBytes)) return false;
  if (!message.Vector(1, session_id) || session_id.size() > kMaxSessionIdBytes) return false;
  if (!message.Vector(2, ciphers) || ciphers.is_empty() || ciphers.size() % 2 != 0) return false;
  if (!message.Vector(1, compressions) || compressions.is_empty()) return false;
  hello.session = HashOf(session_id);
  if (message.is_empty()) return true;
  ByteReader extensions;
  if (!message.Vector(2, extensions) || !message.is_empty()) return false;
  return ReadExtensions(extensions, names, hello);
}

// SSL 2.0's form of a ClientHello for SSL 3.0 and later, which old clients still begin with: it has no extensions.
ClientHello ReadSslV2(const unsigned char* bytes, size_t size) {
  constexpr size_t kPrefixBytes = 5;  // length with its highest bit set, message type, version
  if (size > 2 && bytes[2] != kClientHelloType) return Answer(HelloState::kNotTls);
  if (size > 3 && bytes[3] != kMajorVersion) return Answer(HelloState::kNotTls);
  return size < kPrefixBytes ? Need(kPrefixBytes) : Answer(HelloState::kComplete);
}
}  // namespace

ClientHello ReadClientHello(unsigned char* bytes, size_t size, unsigned char* names) {
  if (size > 0 && (bytes[0] & 0x80) != 0) return ReadSslV2(bytes, size);
  ByteReader message;
  ClientHello hello = Handshake(bytes, std::min<size_t>(size, kHelloWindowBytes)).Join(message);
  if (hello.state == HelloState::kComplete && !ReadMessage(message, names, hello)) return Answer(HelloState::kNotTls);
  return hello;
}

}  // namespace edgeproxy
