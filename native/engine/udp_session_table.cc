#include "udp_session_table.h"

namespace edgeproxy {

namespace {
uint64_t Pair(uint32_t high, uint32_t low) { return uint64_t{high} << 32 | low; }
}  // namespace

uint32_t UdpClients::Enter(uint32_t listener, const PeerAddress& client, uint32_t most) {
  const uint32_t(&words)[4] = client.words;
  const bool is_v4 = client.IsV4();
  const uint64_t network[2] = {Pair(words[0], words[1]), is_v4 ? Pair(words[2], words[3]) : 0};
  const uint64_t hash = hash_.Of({network[0], network[1], uint64_t{listener}});
  Entry* entry = chains_.Find(hash, [&](const Entry& other) {
    return other.network[0] == network[0] && other.network[1] == network[1] && other.listener == listener;
  });
  if (entry == nullptr) {
    entry = &slab_.Take();
    entry->phase = Phase::kUsed;
    entry->hash = hash;
    entry->network[0] = network[0];
    entry->network[1] = network[1];
    entry->listener = listener;
    entry->sessions = 0;
    chains_.Insert(*entry);
  } else if (most != 0 && entry->sessions >= most) {
    return kNone;
  }
  entry->sessions++;
  return entry->index;
}

void UdpClients::Leave(uint32_t index) {
  Entry& entry = slab_[index];
  if (--entry.sessions != 0) return;
  chains_.Remove(entry);
  slab_.Give(entry);
}

uint64_t UdpSessionTable::HashOf(const UdpKey& key) const {
  const uint32_t(&client)[4] = key.client.words;
  return hash_.Of({Pair(client[0], client[1]), Pair(client[2], client[3]), Pair(key.local[0], key.local[1]),
                   Pair(key.local[2], key.local[3]), Pair(key.client.port << 16 | key.listener, key.scope)});
}

UdpSession& UdpSessionTable::Insert(const UdpKey& key, uint64_t hash) {
  UdpSession& session = slab_.Take();
  session.key = key;
  session.hash = hash;
  chains_.Insert(session);
  return session;
}

void UdpSessionTable::Remove(UdpSession& session) {
  chains_.Remove(session);
  slab_.Give(session);
}

}  // namespace edgeproxy
