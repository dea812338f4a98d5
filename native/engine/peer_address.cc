#include "peer_address.h"

#include <arpa/inet.h>

#include <cstring>

namespace edgeproxy {

PeerAddress PeerAddress::FromSockaddr(const sockaddr_storage& from) {
  PeerAddress address{};
  if (from.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
    address.words[2] = 0xffff;
    address.words[3] = ntohl(v4.sin_addr.s_addr);
    address.port = ntohs(v4.sin_port);
  } else if (from.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
    uint32_t words[4];
    std::memcpy(words, &v6.sin6_addr, sizeof words);
    for (int i = 0; i < 4; i++) address.words[i] = ntohl(words[i]);
    address.port = ntohs(v6.sin6_port);
  }
  return address;
}

socklen_t PeerAddress::ToSockaddr(sockaddr_storage& to) const {
  if (IsV4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(to);
    v4 = sockaddr_in{};
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(words[3]);
    v4.sin_port = htons(static_cast<uint16_t>(port));
    return sizeof v4;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(to);
  v6 = sockaddr_in6{};
  v6.sin6_family = AF_INET6;
  uint32_t network[4];
  for (int i = 0; i < 4; i++) network[i] = htonl(words[i]);
  std::memcpy(&v6.sin6_addr, network, sizeof network);
  v6.sin6_port = htons(static_cast<uint16_t>(port));
  return sizeof v6;
}

}  // namespace edgeproxy
