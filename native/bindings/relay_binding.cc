#include "relay_binding.h"

#include <algorithm>
#include <string>
#include <utility>

#include "argument_reader.h"
#include "exports.h"
#include "native_error.h"
#include "option_reader.h"

namespace edgeproxy {

void RegisterRelay(Napi::Env env, Napi::Object exports) { exports.Set("Relay", RelayBinding::Define(env)); }

Napi::Function RelayBinding::Define(Napi::Env env) {
  return DefineClass(env, "Relay",
                     {InstanceMethod<&RelayBinding::Configure>("configure"),
                      InstanceMethod<&RelayBinding::CloseBackend>("closeBackend"),
                      InstanceMethod<&RelayBinding::ListConnections>("listConnections"),
                      InstanceMethod<&RelayBinding::KillConnections>("killConnections"),
                      InstanceMethod<&RelayBinding::KillConnection>("killConnection"),
                      InstanceMethod<&RelayBinding::LeaveListener>("leaveListener"),
                      InstanceMethod<&RelayBinding::UseAccessLog>("useAccessLog"),
                      InstanceMethod<&RelayBinding::Drain>("drain"),
                      InstanceMethod<&RelayBinding::ConnectionCount>("connectionCount"),
                      InstanceMethod<&RelayBinding::Close>("close")});
}

RelayBinding::RelayBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<RelayBinding>(info) {
  const Napi::Env env = info.Env();
  if (info.Length() != 1 || !info[0].IsObject()) {
    ThrowTypeError(env, "Relay: expected an object of options");
    return;
  }
  const Napi::Object options = info[0].As<Napi::Object>();
  RelayOptions relay_options;
  uint32_t worker = 0;
  if (!ReadOptions(env, options, relay_options, worker)) return;
  UniqueFd channel(static_cast<int>(OptionReader(env, options).Uint("channelFd")));
  Start(env, relay_options, worker, std::move(channel));
}

RelayBinding::~RelayBinding() { CloseNow(); }

void RelayBinding::ReadLimits(OptionReader& reader, RelayOptions& to) {
  to.max_connections = reader.Uint("maxConnections");
  to.max_udp_sessions = reader.Uint("maxUdpSessions");
  to.connect_retries = std::min(reader.Uint("connectRetries"), kMaxTries - 1);
  to.is_splice_enabled = reader.Bool("isSpliceEnabled");
  to.copy_buffer_bytes = reader.Uint("bufferBytes");
  to.max_pipes = reader.Uint("maxPipes");
  to.pool.max_per_backend = reader.Uint("poolMaxPerBackend");
  to.pool.max_connections = reader.Uint("poolMaxConnections");
  to.pool.idle_timeout_ms = reader.Uint("poolIdleTimeoutMs");
  to.pool.max_lifetime_ms = reader.Uint("poolMaxLifetimeMs");
  to.pool.connect_timeout_ms = reader.Uint("poolConnectTimeoutMs");
  to.rate_rule = reader.Rate("rateRule");
  to.listeners = reader.Listeners("listeners");
  to.limits = ConnectionLimits::Of(reader.Uint("maxConnectionsTotal"), to.listeners);
}

bool RelayBinding::ReadOptions(Napi::Env env, Napi::Object options, RelayOptions& to, uint32_t& worker) {
  OptionReader reader(env, options);
  region_ = reader.Shared("region");
  const uint32_t hash = reader.Hash("layoutHash");
  worker = reader.Uint("workerIndex");
  reader.Uint("channelFd");
  Napi::Int32Array requests = reader.Words("requests", kBatchCapacity * sizeof(RouteRequest) / 4);
  Napi::Int32Array responses = reader.Words("responses", kBatchCapacity * sizeof(RouteResponse) / 4);
  Napi::Uint8Array names = reader.Bytes("names", kBatchCapacity * kNameBytes);
  Napi::Int32Array clock = reader.Words("clock", sizeof(BatchClock) / 4);
  ReadLimits(reader, to);
  const Napi::Function on_batch = reader.Function("onBatch");
  const Napi::Function on_region = reader.Function("onRegion");
  if (reader.HasFailed()) return false;

  const RegionView view(region_.data, region_.length);
  if (!view.IsValid(hash) || worker >= view.workers()) {
    ThrowTypeError(env, "Relay: region: not a control region of this build, or workerIndex beyond it");
    return false;
  }
  requests_ = Napi::Persistent(requests);
  responses_ = Napi::Persistent(responses);
  names_ = Napi::Persistent(names);
  clock_ = Napi::Persistent(clock);
  responses_data_ = reinterpret_cast<RouteResponse*>(responses.Data());
  clock_data_ = reinterpret_cast<BatchClock*>(clock.Data());
  worker_ = worker;
  on_batch_ = Napi::Persistent(on_batch);
  on_region_ = Napi::Persistent(on_region);
  return true;
}

bool RelayBinding::Start(Napi::Env env, const RelayOptions& options, uint32_t worker, UniqueFd channel) {
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  const BatchArrays batch{reinterpret_cast<RouteRequest*>(requests_.Value().Data()), responses_data_, names_.Value().Data()};
  relay_ = std::make_unique<Relay>(options, RegionView(region_.data, region_.length), worker, static_cast<RelayHost&>(*this), batch);
  const int error = relay_->Open(std::move(channel));
  if (error != 0) {
    relay_.reset();
    ThrowNativeError(env, SystemError{error, "epoll"});
    return false;
  }
  async_context_ = std::make_unique<Napi::AsyncContext>(env, "EdgeproxyRelay");
  handles_ = new LoopHandles;
  uv_poll_init(loop, &handles_->poll, relay_->poll_fd());
  uv_timer_init(loop, &handles_->timer);
  uv_idle_init(loop, &handles_->idle);
  handles_->open = 3;
  handles_->poll.data = handles_->timer.data = handles_->idle.data = this;
  uv_poll_start(&handles_->poll, UV_READABLE,
                [](uv_poll_t* handle, int, int) { static_cast<RelayBinding*>(handle->data)->Dispatch(); });
  napi_add_env_cleanup_hook(env, OnEnvironmentExit, this);
  // Alive until closed: the loop needs it even where JavaScript forgets it.
  Ref();
  return true;
}

void RelayBinding::Dispatch() {
  if (relay_) Drive([this] { relay_->Dispatch(); });
}

// Lets the loop come back when the relay wants it, touching libuv's timer heap only where the time has moved closer.
void RelayBinding::Arm() {
  const int64_t delay_ms = relay_->NextDispatchMs();
  if (delay_ms == 0) {
    uv_idle_start(&handles_->idle, [](uv_idle_t* handle) { static_cast<RelayBinding*>(handle->data)->Dispatch(); });
    return;
  }
  uv_idle_stop(&handles_->idle);
  if (delay_ms == -1) return;
  const uint64_t due_ms = uv_now(handles_->timer.loop) + static_cast<uint64_t>(delay_ms);
  if (armed_for_ms_ != 0 && armed_for_ms_ <= due_ms) return;
  armed_for_ms_ = due_ms;
  uv_timer_start(
      &handles_->timer,
      [](uv_timer_t* handle) {
        auto* self = static_cast<RelayBinding*>(handle->data);
        self->armed_for_ms_ = 0;
        self->Dispatch();
      },
      static_cast<uint64_t>(delay_ms), 0);
}

void RelayBinding::OnBatch(uint32_t count, const BatchClock& now) {
  const Napi::Env env = Env();
  const Napi::HandleScope scope(env);
  *clock_data_ = now;
  // Should JavaScript throw, every client of the batch is rejected rather than sent to a leftover of the last one.
  for (uint32_t i = 0; i < count; i++) {
    responses_data_[i].slot = -1;
    responses_data_[i].client = 0;
  }
  // A plain call: route() makes no promise and no tick, and MakeCallback's round through Node's queues costs 5 to 10 µs
  // where the caches are cold, which is where a client's latency is (measured one connection at a time).
  on_batch_.Call({Napi::Number::New(env, count)});
  if (env.IsExceptionPending()) napi_fatal_exception(env, env.GetAndClearPendingException().Value());
}

void RelayBinding::OnRegion(uint32_t kind, UniqueFd fd) {
  const Napi::Env env = Env();
  const Napi::HandleScope scope(env);
  SharedRegion region;
  const SystemError failure = SharedRegion::Map(fd.get(), region);
  if (failure.is_set()) return OnLost(failure);
  const Napi::Value buffer = WrapSharedRegion(env, std::move(region));
  on_region_.MakeCallback(env.Global(), {Napi::Number::New(env, kind), buffer}, *async_context_);
  if (env.IsExceptionPending()) napi_fatal_exception(env, env.GetAndClearPendingException().Value());
}

// An uncaught exception: the process ends, or hears of it where it has taken care of those.
void RelayBinding::OnLost(const SystemError& reason) {
  const Napi::Env env = Env();
  const Napi::HandleScope scope(env);
  const Napi::Error error = MakeNativeError(env, reason);
  const std::string message = "what the primary has sent cannot be taken: " + error.Message();
  error.Set("message", Napi::String::New(env, message));
  napi_fatal_exception(env, error.Value());
}

Napi::Value RelayBinding::Configure(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsObject()) {
    ThrowTypeError(env, "configure: expected an object of limits");
    return env.Undefined();
  }
  OptionReader reader(env, info[0].As<Napi::Object>());
  RelayOptions options;
  ReadLimits(reader, options);
  if (reader.HasFailed() || !relay_) return env.Undefined();
  relay_->Configure(options);
  // A deadline may be nearer now; during a dispatch its end sees to that.
  if (!is_dispatching_) Arm();
  return env.Undefined();
}

Napi::Value RelayBinding::CloseBackend(const Napi::CallbackInfo& info) {
  ArgumentReader arguments(info);
  const uint32_t slot = arguments.Uint(0, "slot");
  const auto reason = static_cast<EndReason>(arguments.Whole(1, "reason", 0, kEndReasons - 1));
  if (!arguments.HasFailed() && relay_ && !is_dispatching_) {
    Drive([&] { relay_->CloseBackend(slot, reason); });
  }
  return info.Env().Undefined();
}

Napi::Value RelayBinding::LeaveListener(const Napi::CallbackInfo& info) {
  ArgumentReader arguments(info);
  const uint32_t id = arguments.Uint(0, "listenerId");
  if (!arguments.HasFailed() && relay_) relay_->LeaveListener(id);
  return info.Env().Undefined();
}

Napi::Value RelayBinding::UseAccessLog(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const SharedBytes memory = GetSharedBytes(info[0]);
  if (memory.data == nullptr) {
    ThrowTypeError(env, "useAccessLog: expected a SharedArrayBuffer");
  } else if (relay_) {
    relay_->UseAccessLog(AccessRing(memory.data, memory.length, worker_));
    // Not before the relay has let go of what it had.
    access_log_ = memory;
  }
  return env.Undefined();
}

Napi::Value RelayBinding::Drain(const Napi::CallbackInfo& info) {
  if (relay_ && !is_dispatching_) Drive([this] { relay_->Drain(); });
  return info.Env().Undefined();
}


Napi::Value RelayBinding::ConnectionCount(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), relay_ ? relay_->connection_count() : 0);
}

Napi::Value RelayBinding::Close(const Napi::CallbackInfo& info) {
  // Called from onBatch the engine is still on the stack: it goes when the pass is over.
  if (is_dispatching_) {
    is_close_wanted_ = true;
  } else {
    CloseNow();
  }
  return info.Env().Undefined();
}

void RelayBinding::OnEnvironmentExit(void* self) { static_cast<RelayBinding*>(self)->CloseNow(); }

void RelayBinding::CloseNow() {
  if (!relay_) return;
  LoopHandles* handles = std::exchange(handles_, nullptr);
  // Before its descriptor is closed, whose number another thread may get at once.
  uv_poll_stop(&handles->poll);
  relay_->Close();
  relay_.reset();
  access_log_ = {};
  napi_remove_env_cleanup_hook(Env(), OnEnvironmentExit, this);
  for (uv_handle_t* handle : {reinterpret_cast<uv_handle_t*>(&handles->poll),
                              reinterpret_cast<uv_handle_t*>(&handles->timer),
                              reinterpret_cast<uv_handle_t*>(&handles->idle)}) {
    handle->data = handles;
    uv_close(handle, [](uv_handle_t* closed) {
      auto* all = static_cast<LoopHandles*>(closed->data);
      if (--all->open == 0) delete all;
    });
  }
  Unref();
}

}  // namespace edgeproxy
