// The control region and the batch as C++ sees them: a mirror of layout.ts and batch-layout.ts in src/domain/shared, which
// explain each word. Where the two differ the layout hash differs, and the bindings refuse the region.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace edgeproxy {

constexpr size_t kLineBytes = 64;
constexpr uint32_t kMagic = 0x50474445;
constexpr uint32_t kLayoutVersion = 4;

enum class RejectReason : uint32_t {
  kNoBackend, kConnectFailed, kClientGone, kNoDescriptors, kShutdown, kRateLimited, kTooManyPerIp, kAddressDenied,
  kCountryDenied, kOverloadLag, kOverloadMemory, kOverloadDescriptors, kTooManySessions,
  kKilled
};
constexpr size_t kRejectReasons = 14;

enum class BackendError : uint32_t { kRefused, kUnreachable, kTimeout, kReset, kOther };
constexpr size_t kBackendErrors = 5;

enum class EndReason : uint32_t {
  kFinished, kClientReset, kBackendReset, kIdleTimeout, kHalfCloseTimeout, kMaxLifetime, kShutdown, kBackendUnhealthy,
  kBackendDrained, kIcmpError, kKilled
};
constexpr size_t kEndReasons = 11;

enum class BreakerState : int32_t { kClosed, kOpen, kHalfOpen };
// A bit of WorkerBlock.shedding.
constexpr int32_t kSheddingDescriptors = 4;
constexpr uint32_t kMaxListeners = 64;

struct RegionHeader {
  uint32_t magic;
  uint32_t version;
  uint32_t hash;
  uint32_t total_words;
  uint32_t workers;
  uint32_t backends;
  uint32_t binding_sets;
  uint32_t client_sets;
  uint32_t seeds[4];
  uint32_t rate_sets;
  uint32_t unused[19];
};
static_assert(sizeof(RegionHeader) == 2 * kLineBytes);

struct HealthControl {
  alignas(kLineBytes) std::atomic<uint32_t> generation;
  std::atomic<int32_t> ejected;

  alignas(kLineBytes) std::atomic<int32_t> max_ejected;
  std::atomic<int32_t> failure_threshold;
  std::atomic<int32_t> success_threshold;
  std::atomic<int32_t> trials;
  std::atomic<int32_t> panic_percent;
  std::atomic<int32_t> initial_ramp;
};
static_assert(sizeof(HealthControl) == 2 * kLineBytes);
static_assert(offsetof(HealthControl, ejected) == 1 * 4);
static_assert(offsetof(HealthControl, panic_percent) == 20 * 4);
static_assert(offsetof(HealthControl, initial_ramp) == 21 * 4);

// Written by one thread with plain stores, or by several with atomic adds: whoever does says so.
struct Histogram {
  static constexpr size_t kCounts = 15;
  alignas(kLineBytes) std::atomic<uint64_t> sum;
  std::atomic<uint64_t> counts[kCounts];
};
static_assert(sizeof(Histogram) == 2 * kLineBytes);
static_assert(offsetof(Histogram, counts) == 2 * 4);
constexpr uint64_t kConnectBoundsMicros[] = {250,    500,    1'000,   2'500,   5'000,    10'000,
                                             25'000, 50'000, 100'000, 250'000, 1'000'000};
constexpr uint64_t kDurationBoundsMs[] = {5,       25,      100,       500,        1'000,     5'000, 15'000,
                                          60'000, 300'000, 900'000, 3'600'000, 14'400'000, 86'400'000};
constexpr uint64_t kBytesBounds[] = {64,         256,        1'024,         4'096,        16'384,      65'536, 262'144,
                                     1'048'576, 4'194'304, 16'777'216, 67'108'864, 268'435'456, 1'073'741'824, 4'294'967'296};
constexpr uint64_t kDecisionBoundsNanos[] = {250,    500,     1'000,   2'500,   5'000,     10'000,    25'000,
                                             50'000, 100'000, 250'000, 500'000, 1'000'000, 10'000'000};

struct AcceptorBlock {
  alignas(kLineBytes) std::atomic<uint64_t> rate_limited;
};
static_assert(sizeof(AcceptorBlock) == kLineBytes);

// The primary's totals, which are not C++'s business.
constexpr size_t kPrimaryBytes = kLineBytes;

struct Pool {
  alignas(kLineBytes) std::atomic<uint32_t> cursor;
  std::atomic<uint32_t> selected;
  std::atomic<uint32_t> failed;
};
static_assert(sizeof(Pool) == kLineBytes);
constexpr uint32_t kMaxPools = 4096;

constexpr uint32_t kMaxPaths = 256;
constexpr size_t kMaxPathBytes = 107;
struct UnixPath {
  alignas(kLineBytes) std::atomic<uint32_t> serial;
  // The bytes and the 0 behind them, four to a word.
  std::atomic<uint32_t> words[(kMaxPathBytes + 1) / 4];
};
static_assert(sizeof(UnixPath) == 2 * kLineBytes);
static_assert(offsetof(UnixPath, words) == 1 * 4);
constexpr uint32_t kUnixPort = 0x1'0000;

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
  std::atomic<int32_t> warm_connections;
  std::atomic<uint64_t> warm_taken;
  std::atomic<uint64_t> warm_missed;

  alignas(kLineBytes) std::atomic<uint64_t> rejected[kRejectReasons];

  alignas(kLineBytes) std::atomic<uint64_t> ended[kEndReasons];

  alignas(kLineBytes) std::atomic<uint32_t> heartbeat;
  std::atomic<int32_t> lag_ms;
  std::atomic<int32_t> shedding;
  std::atomic<int32_t> stalled;
  std::atomic<uint32_t> untracked;
  std::atomic<int32_t> tracks_clients;
  std::atomic<uint32_t> rules;
  alignas(8) std::atomic<uint64_t> datagrams_to_clients;
  std::atomic<uint64_t> datagrams_from_clients;
  std::atomic<uint64_t> datagrams_dropped;
  std::atomic<int32_t> udp_sessions;

  alignas(kLineBytes) std::atomic<int32_t> listener_active[kMaxListeners];

  Histogram durations;
  Histogram bytes;
  Histogram decisions;
};
static_assert(sizeof(WorkerBlock) == 18 * kLineBytes);
static_assert(offsetof(WorkerBlock, pair_sequence) == 16 * 4);
static_assert(offsetof(WorkerBlock, batch_generation) == 17 * 4);
static_assert(offsetof(WorkerBlock, accepted) == 32 * 4);
static_assert(offsetof(WorkerBlock, splice_pipes) == 40 * 4);
static_assert(offsetof(WorkerBlock, relays_open) == 42 * 4);
static_assert(offsetof(WorkerBlock, warm_connections) == 43 * 4);
static_assert(offsetof(WorkerBlock, warm_taken) == 44 * 4);
static_assert(offsetof(WorkerBlock, rejected) == 48 * 4);
static_assert(offsetof(WorkerBlock, ended) == 80 * 4);
static_assert(offsetof(WorkerBlock, heartbeat) == 112 * 4);
static_assert(offsetof(WorkerBlock, stalled) == 115 * 4);
static_assert(offsetof(WorkerBlock, tracks_clients) == 117 * 4);
static_assert(offsetof(WorkerBlock, rules) == 118 * 4);
static_assert(offsetof(WorkerBlock, datagrams_to_clients) == 120 * 4);
static_assert(offsetof(WorkerBlock, udp_sessions) == 126 * 4);
static_assert(offsetof(WorkerBlock, listener_active) == 128 * 4);
static_assert(offsetof(WorkerBlock, durations) == 192 * 4);
static_assert(offsetof(WorkerBlock, bytes) == 224 * 4);
static_assert(offsetof(WorkerBlock, decisions) == 256 * 4);

struct BackendLine {
  alignas(kLineBytes) std::atomic<int32_t> active;
  std::atomic<int32_t> health;
  std::atomic<int32_t> breaker;
  std::atomic<int32_t> failures;
  std::atomic<int32_t> successes;
  std::atomic<int32_t> trials;
  std::atomic<int32_t> ramp;
  std::atomic<int32_t> owner;
  std::atomic<uint32_t> target_port;
  std::atomic<uint32_t> target_address[4];
  std::atomic<uint32_t> connect_micros;
};
static_assert(sizeof(BackendLine) == kLineBytes);
static_assert(offsetof(BackendLine, ramp) == 6 * 4);
static_assert(offsetof(BackendLine, owner) == 7 * 4);
static_assert(offsetof(BackendLine, target_port) == 8 * 4);
static_assert(offsetof(BackendLine, target_address) == 9 * 4);
static_assert(offsetof(BackendLine, connect_micros) == 13 * 4);

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

constexpr size_t kBindingSetBytes = 8 * 4 * sizeof(uint32_t);

struct RateBucket {
  std::atomic<uint32_t> tag;
  std::atomic<int32_t> arrival;
};
static_assert(sizeof(RateBucket) == 2 * 4);

constexpr size_t kRateWays = 8;
struct RateSet {
  RateBucket buckets[kRateWays];
};
static_assert(sizeof(RateSet) == kLineBytes);

static_assert(std::atomic<uint64_t>::is_always_lock_free && std::atomic<int32_t>::is_always_lock_free);

// The batch between the relay and route(): process-local.
constexpr uint32_t kBatchCapacity = 256;
constexpr uint32_t kMaxTries = 8;

struct RouteRequest {
  int32_t listener;
  int32_t port;
  uint32_t address[4];
  int32_t tries;
  int32_t flags;
  int32_t tried_slots[kMaxTries];
  uint32_t destination[4];
  int32_t name_length;
  int32_t alpn_length;
  int32_t session;
  int32_t unused[9];
};
static_assert(sizeof(RouteRequest) == 32 * 4);
constexpr int32_t kRequestTls = 1;
constexpr int32_t kRequestAdmit = 2;
constexpr int32_t kRequestAdmitted = 4;
constexpr int32_t kRequestAnew = 8;
constexpr size_t kNameBytes = 512;
constexpr size_t kAlpnAt = 256;

struct RouteResponse {
  int32_t slot;
  int32_t port;
  uint32_t address[4];
  // Word of the region, 0 = none.
  int32_t client;
  int32_t flags;
};
static_assert(sizeof(RouteResponse) == 8 * 4);
constexpr int32_t kSlotAdmitted = INT32_MIN;
constexpr int32_t kResponseTrial = 1;
constexpr uint32_t kResponseRuleShift = 16;
constexpr uint32_t kResponseNumberShift = 4;
constexpr uint32_t kResponseNumberMask = kMaxPools - 1;

// A connection as it is told to who asks for those that there are. Numbers as JavaScript has them.
struct ConnectionRecord {
  double is_udp;
  double index;
  double generation;
  double state;
  double listener;
  double slot;
  double client_port;
  double client_address[4];
  double backend_port;
  double backend_address[4];
  double age_ms;
  double idle_ms;
  double bytes_from_client;
  double bytes_to_client;
  double rule;
  double name_length;
};
static_assert(sizeof(ConnectionRecord) == 22 * sizeof(double));
static_assert(offsetof(ConnectionRecord, backend_port) == 11 * sizeof(double));
static_assert(offsetof(ConnectionRecord, name_length) == 21 * sizeof(double));
enum class ConnectionState : uint32_t { kRouting, kAwaitingHello, kConnecting, kRelaying, kClientFinished, kBackendFinished };
constexpr uint32_t kMostListed = 256;
constexpr size_t kRecordNameBytes = 256;

// Places in one listener's settings; bits of the flags.
enum class ListenerWord : uint32_t {
  kConnectTimeoutMs, kConnectTotalTimeoutMs, kIdleTimeoutMs, kHalfCloseTimeoutMs, kMaxLifetimeMs, kMaxConnections, kFlags,
  kHelloTimeoutMs, kMaxSessionsPerClient
};
constexpr uint32_t kListenerWords = 9;
constexpr uint32_t kListenerDestination = 1;
constexpr uint32_t kListenerHello = 2;

struct BatchClock {
  int32_t secs;
  int32_t micros;
};

// Typed pointers into a mapped control region, as seen by one worker (or by the primary with worker 0's rows unused).
class RegionView {
  static constexpr size_t kHealthAt = 4 * kLineBytes;  // header and routes control, two lines each
  static constexpr size_t kAcceptorAt = kHealthAt + sizeof(HealthControl);
  static constexpr size_t kPoolsAt = kAcceptorAt + sizeof(AcceptorBlock) + kPrimaryBytes;
  static constexpr size_t kPathsAt = kPoolsAt + kMaxPools * sizeof(Pool);

 public:
  // Everything before the workers, in bytes.
  static constexpr size_t kWorkersAt = kPathsAt + kMaxPaths * sizeof(UnixPath);

  // The capacities are read here, once: what another process writes over them later moves no address of this one.
  RegionView(void* base, size_t mapped_bytes) : base_(static_cast<unsigned char*>(base)), mapped_bytes_(mapped_bytes) {
    if (mapped_bytes < sizeof(RegionHeader)) return;
    workers_ = header().workers;
    backends_ = header().backends;
    binding_sets_ = header().binding_sets;
    rate_sets_ = header().rate_sets;
    words_ = static_cast<uint32_t>(mapped_bytes / sizeof(uint32_t) < INT32_MAX ? mapped_bytes / sizeof(uint32_t) : INT32_MAX);
  }

  bool IsValid(uint32_t layout_hash) const {
    if (workers_ == 0 || backends_ == 0 || BindingsAt() > mapped_bytes_) return false;
    const RegionHeader& h = header();
    return h.magic == kMagic && h.version == kLayoutVersion && h.hash == layout_hash;
  }

  uint32_t workers() const { return workers_; }
  uint32_t backends() const { return backends_; }
  // Whether a word of that index, as JavaScript counts, lies behind the header. 0 does not.
  bool IsWord(int32_t index) const {
    return index >= static_cast<int32_t>(sizeof(RegionHeader) / sizeof(uint32_t)) && static_cast<uint32_t>(index) < words_;
  }
  std::atomic<int32_t>& word(int32_t index) const { return At<std::atomic<int32_t>>(0)[index]; }
  HealthControl& health() const { return *At<HealthControl>(kHealthAt); }
  AcceptorBlock& acceptor() const { return *At<AcceptorBlock>(kAcceptorAt); }
  Pool& pool(uint32_t number) const { return At<Pool>(kPoolsAt)[number]; }
  const UnixPath& path(uint32_t number) const { return At<UnixPath>(kPathsAt)[number]; }
  WorkerBlock& worker(uint32_t index) const { return At<WorkerBlock>(kWorkersAt)[index]; }
  BackendLine& backend(uint32_t slot) const { return At<BackendLine>(BackendsAt())[slot]; }
  WorkerRow& row(uint32_t worker, uint32_t slot) const {
    return At<WorkerRow>(BackendsAt() + backends_ * sizeof(BackendLine))[size_t{worker} * backends_ + slot];
  }

  Histogram& connect_times(uint32_t slot) const { return At<Histogram>(ConnectTimesAt())[slot]; }

  // Hash seeds of the region; see ClientKey.
  const uint32_t* seeds() const { return header().seeds; }
  // A power of two, or 0 where there are none that could be trusted.
  uint32_t rate_sets() const { return HasRates() ? rate_sets_ : 0; }
  RateSet& rate_set(uint32_t index) const { return At<RateSet>(RatesAt())[index]; }

 private:
  const RegionHeader& header() const { return *reinterpret_cast<const RegionHeader*>(base_); }
  size_t BackendsAt() const { return kWorkersAt + workers_ * sizeof(WorkerBlock); }
  // Of the backends' lines and all workers' rows. No overflow: both counts have 32 bits, a row has 64 bytes.
  size_t RowBytes() const { return backends_ * sizeof(BackendLine) + size_t{workers_} * backends_ * sizeof(WorkerRow); }
  size_t ConnectTimesAt() const { return BackendsAt() + RowBytes(); }
  size_t BindingsAt() const { return ConnectTimesAt() + backends_ * sizeof(Histogram); }
  size_t RatesAt() const { return BindingsAt() + binding_sets_ * kBindingSetBytes; }
  bool HasRates() const {
    return std::has_single_bit(rate_sets_) && RatesAt() + rate_sets_ * sizeof(RateSet) <= mapped_bytes_;
  }
  template <typename T>
  T* At(size_t offset) const { return reinterpret_cast<T*>(base_ + offset); }

  unsigned char* base_;
  size_t mapped_bytes_;
  uint32_t workers_ = 0;
  uint32_t backends_ = 0;
  uint32_t binding_sets_ = 0;
  uint32_t rate_sets_ = 0;
  uint32_t words_ = 0;
};

}  // namespace edgeproxy
