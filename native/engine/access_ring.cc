#include "access_ring.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace edgeproxy {

AccessRing::AccessRing(void* region, size_t bytes, uint32_t number) {
  if (bytes < sizeof(AccessRegionHeader)) return;
  auto* header = static_cast<AccessRegionHeader*>(region);
  const uint32_t units = header->units;
  const size_t ring_bytes = sizeof(AccessRingHeader) + size_t{units} * kAccessUnitBytes;
  if (number >= header->rings || !std::has_single_bit(units)) return;
  if (sizeof(AccessRegionHeader) + header->rings * ring_bytes > bytes) return;
  region_ = header;
  units_ = units;
  unsigned char* const at = static_cast<unsigned char*>(region) + sizeof(AccessRegionHeader) + number * ring_bytes;
  ring_ = reinterpret_cast<AccessRingHeader*>(at);
  records_ = at + sizeof(AccessRingHeader);
}

void AccessRing::Write(const AccessRecord& record, const char* name) {
  const uint32_t head = ring_->head.load(std::memory_order_relaxed);
  // Acquire: the reader has taken what is written over.
  const uint32_t used = head - ring_->tail.load(std::memory_order_acquire);
  const auto needed = static_cast<uint32_t>(1 + (record.name_length + kAccessUnitBytes - 1) / kAccessUnitBytes);
  // Of rejections there can be any number: they leave half of the ring to connections that end.
  const uint32_t room = (record.flags & kAccessRejected) != 0 ? units_ / 2 : units_;
  if (used > room || room - used < needed) {
    ring_->dropped.store(ring_->dropped.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return;
  }
  std::memcpy(UnitAt(head), &record, sizeof record);
  for (uint32_t unit = 1; unit < needed; unit++) {
    const size_t from = (unit - 1) * kAccessUnitBytes;
    std::memcpy(UnitAt(head + unit), name + from, std::min(kAccessUnitBytes, record.name_length - from));
  }
  ring_->head.store(head + needed, std::memory_order_release);
}

}  // namespace edgeproxy
