#include "connection.h"

namespace edgeproxy {

Connection& ConnectionSlab::Take() {
  if (free_.empty()) {
    const uint32_t first = size();
    chunks_.push_back(std::make_unique<Connection[]>(kChunk));
    free_.reserve(size());
    // The lowest index is taken first: few connections stay on few pages.
    for (uint32_t i = kChunk; i-- > 0;) {
      chunks_.back()[i].index = first + i;
      free_.push_back(first + i);
    }
  }
  Connection& connection = (*this)[free_.back()];
  free_.pop_back();
  in_use_++;
  return connection;
}

void ConnectionSlab::Give(Connection& connection) {
  // Events that were queued for the old owner carry the old generation.
  connection.generation++;
  connection.phase = Phase::kFree;
  free_.push_back(connection.index);
  in_use_--;
}

}  // namespace edgeproxy
