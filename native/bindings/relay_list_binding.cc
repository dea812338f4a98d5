// What a Relay of JavaScript's answers to who asks for its connections.
#include <algorithm>

#include "argument_reader.h"
#include "relay_binding.h"

namespace edgeproxy {

namespace {
// As FILTER in batch-layout.ts has it.
constexpr size_t kFilterNumbers = 7;

ConnectionFilter FilterOf(const Napi::Float64Array& numbers) {
  ConnectionFilter filter;
  filter.slot = static_cast<int64_t>(numbers[0]);
  filter.listener = static_cast<int64_t>(numbers[1]);
  filter.prefix_bits = static_cast<uint32_t>(std::clamp(numbers[2], 0.0, 128.0));
  for (size_t i = 0; i < 4; i++) filter.network[i] = static_cast<uint32_t>(static_cast<int64_t>(numbers[3 + i]));
  return filter;
}

Napi::Value PageOf(Napi::Env env, const ConnectionPage& page) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("count", Napi::Number::New(env, page.count));
  const bool is_last = page.next == ConnectionPage::kEnd;
  result.Set("next", Napi::Number::New(env, is_last ? -1 : static_cast<double>(page.next)));
  return result;
}

// Ten digits, of which the walk makes what it can: behind everything there is nothing.
constexpr double kMostPosition = 9'999'999'999;
}  // namespace

Napi::Value RelayBinding::ListConnections(const Napi::CallbackInfo& info) {
  ArgumentReader arguments(info);
  const Napi::Float64Array filter = arguments.Doubles(0, "filter", kFilterNumbers);
  const auto from = static_cast<uint64_t>(arguments.Whole(1, "from", 0, kMostPosition));
  const uint32_t most = arguments.Uint(2, "most");
  Napi::Float64Array records = arguments.Doubles(3, "records", kMostListed * sizeof(ConnectionRecord) / sizeof(double));
  Napi::Uint8Array names = arguments.Bytes(4, "names", kMostListed * kRecordNameBytes);
  if (arguments.HasFailed()) return info.Env().Undefined();
  if (!relay_ || is_dispatching_) return PageOf(info.Env(), {0, ConnectionPage::kEnd});
  const ConnectionRecords to{reinterpret_cast<ConnectionRecord*>(records.Data()), names.Data()};
  return PageOf(info.Env(), relay_->List(FilterOf(filter), from, most, to));
}

Napi::Value RelayBinding::KillConnections(const Napi::CallbackInfo& info) {
  ArgumentReader arguments(info);
  const Napi::Float64Array filter = arguments.Doubles(0, "filter", kFilterNumbers);
  const auto from = static_cast<uint64_t>(arguments.Whole(1, "from", 0, kMostPosition));
  const uint32_t most = arguments.Uint(2, "most");
  if (arguments.HasFailed()) return info.Env().Undefined();
  ConnectionPage page{0, ConnectionPage::kEnd};
  if (relay_ && !is_dispatching_) {
    Drive([&] { page = relay_->KillMany(FilterOf(filter), from, most); });
  }
  return PageOf(info.Env(), page);
}

Napi::Value RelayBinding::KillConnection(const Napi::CallbackInfo& info) {
  ArgumentReader arguments(info);
  const bool is_udp = arguments.Whole(0, "isUdp", 0, 1) != 0;
  const ConnectionId id{is_udp, arguments.Uint(1, "index"), arguments.Uint(2, "generation")};
  bool is_killed = false;
  if (!arguments.HasFailed() && relay_ && !is_dispatching_) {
    Drive([&] { is_killed = relay_->Kill(id); });
  }
  return Napi::Boolean::New(info.Env(), is_killed);
}

}  // namespace edgeproxy
