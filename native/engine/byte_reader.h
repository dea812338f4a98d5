// Bytes that somebody unknown has sent, read from the front; nothing beyond their end is ever touched.
#pragma once

#include <cstddef>
#include <cstdint>

namespace edgeproxy {

class ByteReader {
 public:
  ByteReader() = default;
  ByteReader(const unsigned char* bytes, size_t size) : bytes_(bytes), size_(size) {}

  const unsigned char* data() const { return bytes_; }
  size_t size() const { return size_; }
  bool is_empty() const { return size_ == 0; }

  // Each returns false, and reads nothing, where fewer bytes are left.
  bool Skip(size_t count) {
    if (count > size_) return false;
    bytes_ += count;
    size_ -= count;
    return true;
  }
  // A number of `width` bytes, the most significant first; at most four.
  bool Number(size_t width, uint32_t& value) {
    const unsigned char* from = bytes_;
    if (!Skip(width)) return false;
    value = 0;
    for (size_t i = 0; i < width; i++) value = value << 8 | from[i];
    return true;
  }
  // What stands behind its length of `width` bytes.
  bool Vector(size_t width, ByteReader& content) {
    const ByteReader before = *this;
    uint32_t length = 0;
    if (Number(width, length)) {
      content = ByteReader(bytes_, length);
      if (Skip(length)) return true;
    }
    *this = before;
    return false;
  }

 private:
  const unsigned char* bytes_ = nullptr;
  size_t size_ = 0;
};

}  // namespace edgeproxy
