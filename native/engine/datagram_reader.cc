#include "datagram_reader.h"

#include <netinet/udp.h>

#include <cerrno>
#include <cstring>

namespace edgeproxy {

namespace {
template <typename T>
T ValueOf(const cmsghdr* control) {
  T value;
  std::memcpy(&value, CMSG_DATA(control), sizeof value);
  return value;
}
}  // namespace

DatagramReader::DatagramReader(bool has_senders) : payload_(std::make_unique_for_overwrite<char[]>(kMost * kStep)) {
  for (uint32_t i = 0; i < kMost; i++) {
    pieces_[i] = {payload_.get() + i * kStep, kBytes};
    msghdr& header = messages_[i].msg_hdr;
    header.msg_iov = &pieces_[i];
    header.msg_iovlen = 1;
    header.msg_name = has_senders ? &names_[i] : nullptr;
    header.msg_namelen = has_senders ? sizeof names_[i] : 0;
    header.msg_control = controls_[i];
    header.msg_controllen = kControlBytes;
  }
}

int DatagramReader::Read(int socket, uint32_t first, uint32_t most) {
  // The lengths are the kernel's to change, of those that it fills.
  for (uint32_t i = first; i < first + most; i++) {
    msghdr& header = messages_[i].msg_hdr;
    if (header.msg_controllen == kControlBytes) continue;
    if (header.msg_name != nullptr) header.msg_namelen = sizeof names_[i];
    header.msg_controllen = kControlBytes;
  }
  int count;
  do count = ::recvmmsg(socket, messages_ + first, most, MSG_DONTWAIT, nullptr);
  while (count == -1 && errno == EINTR);
  return count;
}

int DatagramReader::ReadPlain(int socket, uint32_t place) {
  ssize_t bytes;
  do bytes = ::recv(socket, pieces_[place].iov_base, kBytes, MSG_DONTWAIT);
  while (bytes == -1 && errno == EINTR);
  if (bytes == -1) return -1;
  messages_[place].msg_len = static_cast<unsigned>(bytes);
  messages_[place].msg_hdr.msg_controllen = 0;
  messages_[place].msg_hdr.msg_flags = 0;
  return 1;
}

Datagrams DatagramReader::At(uint32_t place) const {
  const uint32_t bytes = messages_[place].msg_len;
  Datagrams datagrams = {payload_.get() + place * kStep, bytes, bytes};
  auto* header = const_cast<msghdr*>(&messages_[place].msg_hdr);
  for (const cmsghdr* control = CMSG_FIRSTHDR(header); control != nullptr;
       control = CMSG_NXTHDR(header, const_cast<cmsghdr*>(control))) {
    if (control->cmsg_level != SOL_UDP || control->cmsg_type != UDP_GRO) continue;
    const int segment = ValueOf<int>(control);
    if (segment > 0) datagrams.segment_bytes = static_cast<uint32_t>(segment);
  }
  return datagrams;
}

void DatagramReader::ReadLocal(uint32_t place, uint32_t (&local)[4]) const {
  auto* header = const_cast<msghdr*>(&messages_[place].msg_hdr);
  for (const cmsghdr* control = CMSG_FIRSTHDR(header); control != nullptr;
       control = CMSG_NXTHDR(header, const_cast<cmsghdr*>(control))) {
    if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
      local[0] = local[1] = 0;
      local[2] = 0xffff;
      local[3] = ntohl(ValueOf<in_pktinfo>(control).ipi_spec_dst.s_addr);
    } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
      const auto info = ValueOf<in6_pktinfo>(control);
      uint32_t words[4];
      std::memcpy(words, &info.ipi6_addr, sizeof words);
      for (int i = 0; i < 4; i++) local[i] = ntohl(words[i]);
    }
  }
}

}  // namespace edgeproxy
