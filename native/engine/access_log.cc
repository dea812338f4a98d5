#include "access_log.h"

namespace edgeproxy {

void AccessTraces::Begin(uint32_t index, uint64_t now_us) {
  while (index >= size_) {
    chunks_.push_back(std::make_unique<AccessTrace[]>(kChunk));
    size_ += kChunk;
  }
  AccessTrace& trace = chunks_[index / kChunk][index % kChunk];
  trace = AccessTrace{};
  trace.began_us = now_us;
}

void AccessLog::Route(AccessTrace& trace, int32_t flags, uint64_t now_us) {
  if (trace.routed_us == 0) trace.routed_us = now_us;
  trace.rule = static_cast<uint16_t>(static_cast<uint32_t>(flags) >> kResponseNumberShift & kResponseNumberMask);
}

void AccessLog::Dial(AccessTrace& trace, uint32_t slot) {
  trace.slot = slot;
  if (trace.dials < UINT8_MAX) trace.dials++;
}

void AccessLog::WriteEnd(AccessTrace& trace, const AccessSubject& subject, EndReason reason, uint64_t now_us) {
  Write(trace, subject, trace.has_client_ended_first ? kAccessClientFirst : 0, static_cast<uint32_t>(reason), now_us);
}

void AccessLog::WriteRejection(AccessTrace& trace, const AccessSubject& subject, RejectReason reason, uint64_t now_us) {
  Write(trace, subject, kAccessRejected, static_cast<uint32_t>(reason), now_us);
}

void AccessLog::WriteRefusal(const AccessSubject& subject, RejectReason reason, uint64_t now_us) {
  AccessTrace trace;
  trace.began_us = now_us;
  Write(trace, subject, kAccessRejected, static_cast<uint32_t>(reason), now_us);
}

void AccessLog::Write(AccessTrace& trace, const AccessSubject& subject, uint32_t flags, uint32_t reason, uint64_t now_us) {
  if (IsOn()) {
    AccessRecord record;
    record.began_us = trace.began_us;
    record.routed_us = trace.routed_us;
    record.connected_us = trace.connected_us;
    record.ended_us = now_us;
    record.bytes_from_client = subject.bytes_from_client;
    record.bytes_to_client = subject.bytes_to_client;
    record.datagrams_from_client = trace.datagrams_from_client;
    record.datagrams_to_client = trace.datagrams_to_client;
    for (size_t i = 0; i < 4; i++) record.address[i] = subject.client.words[i];
    record.port = subject.client.port;
    record.listener = subject.listener;
    record.rule = trace.rule;
    record.slot = trace.slot;
    record.flags = flags | (subject.is_udp ? kAccessUdp : 0);
    record.reason = reason;
    record.error = trace.error;
    record.retries = trace.dials > 1 ? uint32_t{trace.dials} - 1 : 0;
    record.name_length = static_cast<uint32_t>(subject.server_name.size());
    ring_.Write(record, subject.server_name.data());
  }
  trace.began_us = 0;
}

}  // namespace edgeproxy
