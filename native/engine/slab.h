// Nodes by index, in chunks that never move; a free one keeps its place for the next owner. T has an `index`, a
// `generation`, and a `phase` that is kFree while nobody owns it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace edgeproxy {

template <typename T>
class Slab {
 public:
  T& Take();
  void Give(T& node);
  T& operator[](uint32_t index) { return chunks_[index / kChunk][index % kChunk]; }
  uint32_t size() const { return static_cast<uint32_t>(chunks_.size()) * kChunk; }
  uint32_t in_use() const { return in_use_; }

 private:
  static constexpr uint32_t kChunk = 256;

  std::vector<std::unique_ptr<T[]>> chunks_;
  std::vector<uint32_t> free_;
  uint32_t in_use_ = 0;
};

template <typename T>
T& Slab<T>::Take() {
  if (free_.empty()) {
    const uint32_t first = size();
    chunks_.push_back(std::make_unique<T[]>(kChunk));
    free_.reserve(size());
    // The lowest index is taken first: few nodes stay on few pages.
    for (uint32_t i = kChunk; i-- > 0;) {
      chunks_.back()[i].index = first + i;
      free_.push_back(first + i);
    }
  }
  T& node = (*this)[free_.back()];
  free_.pop_back();
  in_use_++;
  return node;
}

template <typename T>
void Slab<T>::Give(T& node) {
  // Events that were queued for the old owner carry the old generation.
  node.generation++;
  node.phase = decltype(node.phase)::kFree;
  free_.push_back(node.index);
  in_use_--;
}

}  // namespace edgeproxy
