// What a TLS ClientHello says to everybody: the name that is asked for, the protocols that are offered, the session that is
// to be resumed. Read from bytes that lie in a socket still; nothing is decrypted, and nothing but them is needed.
//
// Only a whole, well-formed ClientHello is one. Everything else is no TLS as far as routing goes, as with HAProxy's req.ssl_* and
// nginx's ssl_preread: what it was to be is the backend's business, which gets every byte as it came. Inside of it the three
// extensions that matter are read leniently: one that is malformed counts as absent. Sent twice they make the whole malformed,
// for then it would depend on the backend which of them it takes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "shared_layout.h"

namespace edgeproxy {

enum class HelloState : uint8_t { kIncomplete, kNotTls, kComplete };

struct ClientHello {
  HelloState state;
  // While it is incomplete: with fewer bytes than these, counted from the first, it will still be.
  uint32_t needed_bytes;
  // Of a complete one, what stands in `names`; 0 = none.
  uint32_t name_length;
  uint32_t alpn_length;
  // Hash of the legacy session id; 0 = none.
  uint32_t session;
};

// A ClientHello of any kind is far below it: 200 to 600 bytes are usual, 1,800 with post-quantum keys.
constexpr uint32_t kMaxHelloBytes = 16 << 10;
// Most that is looked at, with the headers of the records that it is spread over; a longer one is none.
constexpr uint32_t kHelloWindowBytes = kMaxHelloBytes + 1024;

// `bytes` are what the client has sent so far, at most kHelloWindowBytes; changed where a ClientHello is spread over several
// records, which are joined there. `names` has kNameBytes, of which only those are written that the lengths tell of.
ClientHello ReadClientHello(unsigned char* bytes, size_t size, unsigned char* names);

}  // namespace edgeproxy
