// Where a worker, or the acceptor, leaves what the access log tells of a connection: a ring of its own in memory that the
// primary reads. A mirror of src/domain/access-log/access-layout.ts, which explains each word and is part of the layout hash.
//
// One writes, one reads. A record is there once `head` says so, so a process killed in the middle of one leaves nothing of it,
// and its successor goes on at the same place. A full ring drops and counts, of rejections a half-full one does: nobody ever
// waits for the reader.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "shared_layout.h"

namespace edgeproxy {

constexpr uint32_t kAccessUdp = 1;
constexpr uint32_t kAccessRejected = 2;
constexpr uint32_t kAccessClientFirst = 4;
constexpr uint32_t kNoAccessSlot = 0xffff'ffff;
constexpr uint32_t kNoAccessError = 0xff;

// Times are of CLOCK_MONOTONIC in microseconds; 0 = it never came to that.
struct AccessRecord {
  uint64_t began_us = 0;
  uint64_t routed_us = 0;
  uint64_t connected_us = 0;
  uint64_t ended_us = 0;
  uint64_t bytes_from_client = 0;
  uint64_t bytes_to_client = 0;
  uint64_t datagrams_from_client = 0;
  uint64_t datagrams_to_client = 0;
  uint32_t address[4] = {};
  uint32_t port = 0;
  uint32_t listener = 0;
  uint32_t rule = 0;
  uint32_t slot = kNoAccessSlot;
  uint32_t flags = 0;
  uint32_t reason = 0;  // an EndReason, or a RejectReason with kAccessRejected
  uint32_t error = kNoAccessError;
  uint32_t retries = 0;
  uint32_t name_length = 0;
  uint32_t unused[3] = {};
};
constexpr size_t kAccessUnitBytes = 128;
static_assert(sizeof(AccessRecord) == kAccessUnitBytes);
static_assert(offsetof(AccessRecord, address) == 16 * 4);
static_assert(offsetof(AccessRecord, slot) == 23 * 4);
static_assert(offsetof(AccessRecord, name_length) == 28 * 4);

struct AccessRegionHeader {
  alignas(kLineBytes) std::atomic<int32_t> is_enabled;
  uint32_t rings;
  uint32_t units;
};
static_assert(sizeof(AccessRegionHeader) == kLineBytes);

struct AccessRingHeader {
  alignas(kLineBytes) std::atomic<uint32_t> head;
  alignas(8) std::atomic<uint64_t> dropped;
  alignas(kLineBytes) std::atomic<uint32_t> tail;
};
static_assert(sizeof(AccessRingHeader) == 2 * kLineBytes);
static_assert(offsetof(AccessRingHeader, dropped) == 2 * 4);

class AccessRing {
 public:
  AccessRing() = default;
  // That of a number in a region of so many bytes. One that is not there is never enabled.
  AccessRing(void* region, size_t bytes, uint32_t number);

  bool IsEnabled() const { return region_ != nullptr && region_->is_enabled.load(std::memory_order_relaxed) != 0; }
  // The record, and record.name_length bytes of the name behind it.
  void Write(const AccessRecord& record, const char* name);

 private:
  unsigned char* UnitAt(uint32_t position) const { return records_ + size_t{position & (units_ - 1)} * kAccessUnitBytes; }

  AccessRegionHeader* region_ = nullptr;
  AccessRingHeader* ring_ = nullptr;
  unsigned char* records_ = nullptr;
  uint32_t units_ = 0;
};

}  // namespace edgeproxy
