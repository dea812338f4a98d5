// The name that a TLS client asks for, as rules compare it.
#pragma once

#include <cstddef>

namespace edgeproxy {

// What a DNS name can have, and one byte of ALPN_AT to spare.
constexpr size_t kMaxServerNameBytes = 255;

// Writes the name in lower case, without the dot at its end and without a port, and returns its length, at most
// kMaxServerNameBytes. 0 where it is no name: empty, too long, an empty label, or a byte that is none of a host name (letters,
// digits, `-` and `_`; international names are sent as `xn--…`). An IPv4 address passes, as it is written like a name; no
// client should send one (RFC 6066, 3).
size_t ReadServerName(const unsigned char* bytes, size_t size, unsigned char* to);

}  // namespace edgeproxy
