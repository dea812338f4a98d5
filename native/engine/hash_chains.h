// A hash table of nodes that somebody else owns: each has a `hash` of 64 bits and a `next_in_chain`. It grows with the nodes and
// allocates nothing else; a keyed hash (keyed_hash.h) keeps strangers from choosing the chain they fall into.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace edgeproxy {

template <typename T>
class HashChains {
 public:
  template <typename IsSame>
  T* Find(uint64_t hash, IsSame is_same) const {
    for (T* node = heads_[hash & (heads_.size() - 1)]; node != nullptr; node = node->next_in_chain) {
      if (node->hash == hash && is_same(*node)) return node;
    }
    return nullptr;
  }

  void Insert(T& node) {
    if (++count_ > heads_.size()) Grow();
    Link(node);
  }

  void Remove(T& node) {
    T** link = &heads_[node.hash & (heads_.size() - 1)];
    while (*link != &node) link = &(*link)->next_in_chain;
    *link = node.next_in_chain;
    count_--;
  }

 private:
  static constexpr size_t kFirstSize = 1024;

  void Link(T& node) {
    T*& head = heads_[node.hash & (heads_.size() - 1)];
    node.next_in_chain = head;
    head = &node;
  }

  void Grow() {
    std::vector<T*> old(heads_.size() * 2);
    old.swap(heads_);
    for (T* node : old) {
      while (node != nullptr) {
        T* next = node->next_in_chain;
        Link(*node);
        node = next;
      }
    }
  }

  std::vector<T*> heads_ = std::vector<T*>(kFirstSize);
  size_t count_ = 0;
};

}  // namespace edgeproxy
