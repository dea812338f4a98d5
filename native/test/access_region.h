// A region of the access log in memory, and what a reader finds in its first ring.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "access_ring.h"
#include "check.h"

namespace edgeproxy::test {

struct ReadRecord {
  AccessRecord record;
  std::string name;
};

class AccessRegion {
 public:
  explicit AccessRegion(uint32_t units = 64, uint32_t rings = 1) : lines_(BytesOf(units, rings) / kLineBytes) {
    header().rings = rings;
    header().units = units;
    header().is_enabled = 1;
  }

  void* data() { return lines_.data(); }
  size_t bytes() const { return lines_.size() * kLineBytes; }
  AccessRing ring(uint32_t number = 0) { return {data(), bytes(), number}; }
  AccessRegionHeader& header() { return *reinterpret_cast<AccessRegionHeader*>(lines_.data()); }
  AccessRingHeader& first() { return *reinterpret_cast<AccessRingHeader*>(lines_.data() + 1); }

  // All that has come since the last call.
  std::vector<ReadRecord> Take() {
    std::vector<ReadRecord> taken;
    uint32_t tail = first().tail;
    while (tail != first().head) {
      ReadRecord read;
      std::memcpy(&read.record, UnitAt(tail++), sizeof read.record);
      for (size_t left = read.record.name_length; left > 0;) {
        const size_t part = left < kAccessUnitBytes ? left : kAccessUnitBytes;
        read.name.append(reinterpret_cast<const char*>(UnitAt(tail++)), part);
        left -= part;
      }
      taken.push_back(std::move(read));
    }
    first().tail = tail;
    return taken;
  }

 private:
  struct alignas(kLineBytes) Line {
    char bytes[kLineBytes] = {};
  };

  static size_t BytesOf(uint32_t units, uint32_t rings) {
    return sizeof(AccessRegionHeader) + rings * (sizeof(AccessRingHeader) + units * kAccessUnitBytes);
  }
  const void* UnitAt(uint32_t position) const {
    const auto* records = reinterpret_cast<const char*>(lines_.data()) + sizeof(AccessRegionHeader) + sizeof(AccessRingHeader);
    const auto* header = reinterpret_cast<const AccessRegionHeader*>(lines_.data());
    return records + (position & (header->units - 1)) * kAccessUnitBytes;
  }

  std::vector<Line> lines_;
};

}  // namespace edgeproxy::test
