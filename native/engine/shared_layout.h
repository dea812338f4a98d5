// The control region as C++ sees it: a mirror of src/domain/shared/layout.ts, which explains each word. Where the two
// differ the layout hash differs, and the bindings refuse the region.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace edgeproxy {

constexpr size_t kLineBytes = 64;
constexpr uint32_t kMagic = 0x50474445;
constexpr uint32_t kLayoutVersion = 1;

enum class RejectReason : uint32_t { kNoBackend, kConnectFailed, kClientGone, kNoDescriptors, kShutdown };
constexpr size_t kRejectReasons = 5;

enum class BackendError : uint32_t { kRefused, kUnreachable, kTimeout, kReset, kOther };
constexpr size_t kBackendErrors = 5;

enum class EndReason : uint32_t {
  kFinished, kClientReset, kBackendReset, kIdleTimeout, kHalfCloseTimeout, kMaxLifetime, kShutdown
};
constexpr size_t kEndReasons = 7;

struct RegionHeader {
  uint32_t magic;
  uint32_t version;
  uint32_t hash;
  uint32_t total_words;
  uint32_t workers;
  uint32_t backends;
  uint32_t binding_sets;
  uint32_t unused0;
  uint32_t seeds[4];
  uint32_t unused1[20];
};
static_assert(sizeof(RegionHeader) == 2 * kLineBytes);

struct WorkerBlock {
  alignas(kLineBytes) std::atomic<int32_t> active;

  alignas(kLineBytes) std::atomic<uint32_t> pair_sequence;
  std::atomic<uint32_t> batch_generation;

  alignas(kLineBytes) std::atomic<uint64_t> accepted;
  std::atomic<uint64_t> bytes_to_clients;
  std::atomic<uint64_t> bytes_from_clients;
  std::atomic<uint64_t> splice_fallbacks;
  std::atomic<int32_t> splice_pipes;
  std::atomic<int32_t> pending_bytes;
  std::atomic<int32_t> relays_open;

  alignas(kLineBytes) std::atomic<uint64_t> rejected[kRejectReasons];

  alignas(kLineBytes) std::atomic<uint64_t> ended[kEndReasons];
};
static_assert(sizeof(WorkerBlock) == 5 * kLineBytes);
static_assert(offsetof(WorkerBlock, pair_sequence) == 16 * 4);
static_assert(offsetof(WorkerBlock, batch_generation) == 17 * 4);
static_assert(offsetof(WorkerBlock, accepted) == 32 * 4);
static_assert(offsetof(WorkerBlock, splice_pipes) == 40 * 4);
static_assert(offsetof(WorkerBlock, relays_open) == 42 * 4);
static_assert(offsetof(WorkerBlock, rejected) == 48 * 4);
static_assert(offsetof(WorkerBlock, ended) == 64 * 4);

struct BackendLine {
  alignas(kLineBytes) std::atomic<int32_t> active;
};
static_assert(sizeof(BackendLine) == kLineBytes);

struct WorkerRow {
  alignas(kLineBytes) std::atomic<int32_t> share;
  std::atomic<uint32_t> errors[kBackendErrors];
  std::atomic<uint64_t> connections;
  std::atomic<uint64_t> bytes_to_clients;
  std::atomic<uint64_t> bytes_from_clients;
};
static_assert(sizeof(WorkerRow) == kLineBytes);
static_assert(offsetof(WorkerRow, connections) == 6 * 4);
static_assert(offsetof(WorkerRow, bytes_from_clients) == 10 * 4);

static_assert(std::atomic<uint64_t>::is_always_lock_free && std::atomic<int32_t>::is_always_lock_free);

// The batch between the relay and route(): process-local.
constexpr uint32_t kBatchCapacity = 256;
constexpr uint32_t kMaxTries = 8;

struct RouteRequest {
  int32_t listener;
  int32_t port;
  uint32_t address[4];
  int32_t tries;
  int32_t unused;
  int32_t tried_slots[kMaxTries];
};
static_assert(sizeof(RouteRequest) == 16 * 4);

struct RouteResponse {
  int32_t slot;
  int32_t port;
  uint32_t address[4];
  int32_t unused[2];
};
static_assert(sizeof(RouteResponse) == 8 * 4);

// Typed pointers into a mapped control region, as seen by one worker (or by the primary with worker 0's rows unused).
class RegionView {
 public:
  // The capacities are read here, once: what another process writes over them later moves no address of this one.
  RegionView(void* base, size_t mapped_bytes) : base_(static_cast<unsigned char*>(base)), mapped_bytes_(mapped_bytes) {
    if (mapped_bytes < sizeof(RegionHeader)) return;
    workers_ = header().workers;
    backends_ = header().backends;
  }

  bool IsValid(uint32_t layout_hash) const {
    if (workers_ == 0 || backends_ == 0 || BackendsAt() + RowBytes() > mapped_bytes_) return false;
    const RegionHeader& h = header();
    return h.magic == kMagic && h.version == kLayoutVersion && h.hash == layout_hash;
  }

  uint32_t workers() const { return workers_; }
  uint32_t backends() const { return backends_; }
  WorkerBlock& worker(uint32_t index) const { return At<WorkerBlock>(kWorkersAt)[index]; }
  BackendLine& backend(uint32_t slot) const { return At<BackendLine>(BackendsAt())[slot]; }
  WorkerRow& row(uint32_t worker, uint32_t slot) const {
    return At<WorkerRow>(BackendsAt() + backends_ * sizeof(BackendLine))[size_t{worker} * backends_ + slot];
  }

 private:
  static constexpr size_t kWorkersAt = 4 * kLineBytes;  // header and routes control, two lines each

  const RegionHeader& header() const { return *reinterpret_cast<const RegionHeader*>(base_); }
  size_t BackendsAt() const { return kWorkersAt + workers_ * sizeof(WorkerBlock); }
  // Of the backends' lines and all workers' rows. No overflow: both counts have 32 bits, a row has 64 bytes.
  size_t RowBytes() const { return backends_ * sizeof(BackendLine) + size_t{workers_} * backends_ * sizeof(WorkerRow); }
  template <typename T>
  T* At(size_t offset) const { return reinterpret_cast<T*>(base_ + offset); }

  unsigned char* base_;
  size_t mapped_bytes_;
  uint32_t workers_ = 0;
  uint32_t backends_ = 0;
};

}  // namespace edgeproxy
