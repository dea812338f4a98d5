#include "datagram_sender.h"

#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace edgeproxy {

namespace {
// What the kernel says where a segment does not fit the way's MTU, or the way has no use for segments.
bool IsAboutSegments(int error) { return error == EINVAL || error == EIO || error == EMSGSIZE || error == ENOPROTOOPT; }

template <typename T>
void PutValue(cmsghdr* control, int level, int type, const T& value) {
  control->cmsg_level = level;
  control->cmsg_type = type;
  control->cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(control), &value, sizeof value);
}

in_pktinfo FromV4(const uint32_t* local) {
  in_pktinfo info{};
  info.ipi_spec_dst.s_addr = htonl(local[3]);
  return info;
}

in6_pktinfo FromV6(const uint32_t* local, const UdpName& name) {
  in6_pktinfo info{};
  uint32_t network[4];
  for (int i = 0; i < 4; i++) network[i] = htonl(local[i]);
  std::memcpy(&info.ipi6_addr, network, sizeof network);
  // Only a link-local address needs its interface, and its sender's scope is that.
  info.ipi6_ifindex = name.v6.sin6_scope_id;
  return info;
}
}  // namespace

uint32_t DatagramSender::Add(const Receiver& to, const Datagrams& datagrams) {
  const bool is_single = datagrams.bytes <= datagrams.segment_bytes;
  if (is_single || (has_gso_ && to.may_segment)) {
    if (!Grow(to, datagrams)) Begin(to, datagrams);
    return datagrams.bytes;
  }
  uint32_t taken = 0;
  while (taken < datagrams.bytes && !is_full()) {
    const uint32_t part = std::min(datagrams.segment_bytes, datagrams.bytes - taken);
    Begin(to, {datagrams.data + taken, part, part});
    taken += part;
  }
  return taken;
}

// As a part of the last message, where that is possible.
bool DatagramSender::Grow(const Receiver& to, const Datagrams& datagrams) {
  if (count_ == 0 || !has_gso_ || !to.may_segment) return false;
  Outgoing& last = outgoing_[count_ - 1];
  if (!last.may_grow || last.tag != to.tag || datagrams.bytes == 0) return false;
  // A shorter one may be the last.
  const bool fits = datagrams.segment_bytes == last.segment_bytes ||
                    (datagrams.bytes == datagrams.segment_bytes && datagrams.bytes < last.segment_bytes);
  if (!fits || last.bytes + datagrams.bytes > kMaxBytes || last.datagrams + datagrams.count() > kMaxSegments) return false;
  if (last.datagrams == 1) PutControl(count_ - 1, to, last.segment_bytes);
  pieces_[used_pieces_++] = {datagrams.data, datagrams.bytes};
  messages_[count_ - 1].msg_hdr.msg_iovlen++;
  last.bytes += datagrams.bytes;
  last.datagrams += datagrams.count();
  last.may_grow = datagrams.bytes % last.segment_bytes == 0;
  return true;
}

void DatagramSender::Begin(const Receiver& to, const Datagrams& datagrams) {
  const uint32_t i = count_++;
  Outgoing& outgoing = outgoing_[i];
  outgoing = {to.tag, datagrams.bytes, datagrams.segment_bytes, datagrams.count(), false};
  outgoing.may_grow = datagrams.bytes != 0 && datagrams.bytes % datagrams.segment_bytes == 0;
  msghdr& header = messages_[i].msg_hdr;
  header.msg_name = nullptr;
  header.msg_namelen = 0;
  if (to.name != nullptr) {
    names_[i] = *to.name;
    header.msg_name = &names_[i];
    header.msg_namelen = to.name->any.sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  }
  pieces_[used_pieces_] = {datagrams.data, datagrams.bytes};
  header.msg_iov = &pieces_[used_pieces_++];
  header.msg_iovlen = 1;
  PutControl(i, to, datagrams.bytes > datagrams.segment_bytes ? datagrams.segment_bytes : 0);
}

// `segment_bytes` 0 = a single datagram.
void DatagramSender::PutControl(uint32_t message, const Receiver& to, uint32_t segment_bytes) {
  msghdr& header = messages_[message].msg_hdr;
  header.msg_control = nullptr;
  header.msg_controllen = 0;
  if (to.local == nullptr && segment_bytes == 0) return;
  std::memset(controls_[message], 0, kControlBytes);
  auto* control = reinterpret_cast<cmsghdr*>(controls_[message]);
  size_t length = 0;
  if (to.local != nullptr && to.name->any.sa_family == AF_INET) {
    PutValue(control, IPPROTO_IP, IP_PKTINFO, FromV4(to.local));
    length = CMSG_SPACE(sizeof(in_pktinfo));
  } else if (to.local != nullptr) {
    PutValue(control, IPPROTO_IPV6, IPV6_PKTINFO, FromV6(to.local, *to.name));
    length = CMSG_SPACE(sizeof(in6_pktinfo));
  }
  if (segment_bytes != 0) {
    control = reinterpret_cast<cmsghdr*>(controls_[message] + length);
    PutValue(control, SOL_UDP, UDP_SEGMENT, static_cast<uint16_t>(segment_bytes));
    length += CMSG_SPACE(sizeof(uint16_t));
  }
  header.msg_control = controls_[message];
  header.msg_controllen = length;
}

uint32_t DatagramSender::SendFrom(int socket, uint32_t from, SendResult& failed) {
  int sent;
  do sent = ::sendmmsg(socket, messages_ + from, count_ - from, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (sent == -1 && errno == EINTR);
  if (sent > 0) return static_cast<uint32_t>(sent);
  const Outgoing& outgoing = outgoing_[from];
  if (outgoing.datagrams > 1 && IsAboutSegments(errno)) {
    failed = SendOneByOne(socket, from);
  } else {
    failed = {outgoing.tag, 0, 0, outgoing.datagrams, errno, false};
  }
  return 0;
}

// Each piece begins with a datagram of its own, so it is cut by itself.
SendResult DatagramSender::SendOneByOne(int socket, uint32_t message) {
  const Outgoing& outgoing = outgoing_[message];
  SendResult result{outgoing.tag, 0, 0, 0, 0, true};
  msghdr header = messages_[message].msg_hdr;
  // The segments' part of the control data is the last one.
  header.msg_controllen -= CMSG_SPACE(sizeof(uint16_t));
  if (header.msg_controllen == 0) header.msg_control = nullptr;
  for (size_t i = 0; i < messages_[message].msg_hdr.msg_iovlen; i++) {
    const iovec& piece = messages_[message].msg_hdr.msg_iov[i];
    for (size_t at = 0; at < piece.iov_len; at += outgoing.segment_bytes) {
      iovec part = {static_cast<char*>(piece.iov_base) + at, std::min<size_t>(outgoing.segment_bytes, piece.iov_len - at)};
      header.msg_iov = &part;
      header.msg_iovlen = 1;
      if (::sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL) == -1) {
        result.dropped++;
        result.error = errno;
      } else {
        result.sent++;
        result.bytes += part.iov_len;
      }
    }
  }
  return result;
}

}  // namespace edgeproxy
