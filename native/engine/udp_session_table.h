// The UDP sessions of a worker by their keys, and how many each client address has. Bounded by who inserts.
#pragma once

#include "client_key.h"
#include "hash_chains.h"
#include "keyed_hash.h"
#include "udp_session.h"

namespace edgeproxy {

// Sessions of each client address at each listener: of IPv4 the whole address, of IPv6 the /64, as affinity and rates have it.
class UdpClients {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  explicit UdpClients(const KeyedHash& hash) : hash_(hash) {}

  // One session more, unless there are `most` (0 = any number): kNone then, else what Leave wants.
  uint32_t Enter(uint32_t listener, const PeerAddress& client, uint32_t most);
  void Leave(uint32_t entry);
  uint32_t count() const { return slab_.in_use(); }

 private:
  enum class Phase : uint8_t { kFree, kUsed };
  struct Entry {
    Entry* next_in_chain = nullptr;
    uint64_t hash = 0;
    uint64_t network[2] = {};
    uint32_t listener = 0;
    uint32_t sessions = 0;
    uint32_t index = 0;
    uint32_t generation = 0;
    Phase phase = Phase::kFree;
  };

  const KeyedHash hash_;
  Slab<Entry> slab_;
  HashChains<Entry> chains_;
};

class UdpSessionTable {
 public:
  // `seeds` of the region.
  explicit UdpSessionTable(const uint32_t* seeds) : hash_(seeds), clients_(hash_) {}

  uint64_t HashOf(const UdpKey& key) const;
  // Null where there is none.
  UdpSession* Find(const UdpKey& key, uint64_t hash) const {
    return chains_.Find(hash, [&key](const UdpSession& session) { return session.key == key; });
  }
  UdpSession& Insert(const UdpKey& key, uint64_t hash);
  void Remove(UdpSession& session);

  UdpClients& clients() { return clients_; }
  // Of all that were ever used at the same time, free ones among them.
  UdpSession& operator[](uint32_t index) { return slab_[index]; }
  uint32_t size() const { return slab_.size(); }
  uint32_t in_use() const { return slab_.in_use(); }

 private:
  const KeyedHash hash_;
  Slab<UdpSession> slab_;
  HashChains<UdpSession> chains_;
  UdpClients clients_;
};

}  // namespace edgeproxy
