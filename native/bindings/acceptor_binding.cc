#include "acceptor_binding.h"

#include "argument_reader.h"
#include "exports.h"
#include "native_error.h"
#include "option_reader.h"

namespace edgeproxy {

namespace {

// Waiting longer than this for connections to gather would be felt by clients.
constexpr uint32_t kMaxCoalesceMicros = 10'000;

}  // namespace

void RegisterAcceptor(Napi::Env env, Napi::Object exports) { exports.Set("Acceptor", AcceptorBinding::Define(env)); }

Napi::Function AcceptorBinding::Define(Napi::Env env) {
  return DefineClass(env, "Acceptor",
                     {InstanceMethod<&AcceptorBinding::AddListener>("addListener"),
                      InstanceMethod<&AcceptorBinding::RemoveListener>("removeListener"),
                      InstanceMethod<&AcceptorBinding::RetireListener>("retireListener"),
                      InstanceMethod<&AcceptorBinding::Configure>("configure"),
                      InstanceMethod<&AcceptorBinding::UseAccessLog>("useAccessLog"),
                      InstanceMethod<&AcceptorBinding::WorkerUp>("workerUp"),
                      InstanceMethod<&AcceptorBinding::WorkerDown>("workerDown"),
                      InstanceMethod<&AcceptorBinding::WorkerStalled>("workerStalled"),
                      InstanceMethod<&AcceptorBinding::WorkerResumed>("workerResumed"),
                      InstanceMethod<&AcceptorBinding::Stop>("stop"),
                      InstanceMethod<&AcceptorBinding::Stats>("stats"),
                      InstanceMethod<&AcceptorBinding::Close>("close")});
}

AcceptorBinding::AcceptorBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<AcceptorBinding>(info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsObject()) {
    ThrowTypeError(env, "Acceptor: expected an object of options");
    return;
  }
  OptionReader reader(env, info[0].As<Napi::Object>());
  region_ = reader.Shared("region");
  const uint32_t hash = reader.Hash("layoutHash");
  const uint32_t max_connections = reader.Uint("maxConnectionsPerWorker");
  const uint32_t coalesce_micros = reader.Uint("coalesceMicros");
  if (reader.HasFailed()) return;

  const RegionView view(region_.data, region_.length);
  if (!view.IsValid(hash)) {
    ThrowTypeError(env, "Acceptor: region: not a control region of this build");
  } else if (max_connections == 0 || max_connections > INT32_MAX || coalesce_micros > kMaxCoalesceMicros) {
    ThrowTypeError(env, "Acceptor: maxConnectionsPerWorker or coalesceMicros out of range");
  } else {
    workers_ = view.workers();
    Start(env, {view, static_cast<int32_t>(max_connections), coalesce_micros});
  }
}

AcceptorBinding::~AcceptorBinding() { CloseNow(); }

void AcceptorBinding::Start(Napi::Env env, const AcceptorOptions& options) {
  if (!promises_.Open(env, "EdgeproxyAcceptor")) {
    ThrowTypeError(env, "Acceptor: this environment is ending");
    return;
  }
  acceptor_ = std::make_unique<Acceptor>(options, static_cast<AcceptorObserver&>(*this));
  const SystemError error = acceptor_->Start();
  if (error.is_set()) {
    ThrowNativeError(env, error);
    return;
  }
  is_open_ = true;
  // After the board's own hook, so that it runs before it: the thread ends while the board still takes calls.
  napi_add_env_cleanup_hook(env, OnEnvironmentExit, this);
}

void AcceptorBinding::OnDone(uint64_t ticket) { promises_.Fulfil(ticket, true); }

void AcceptorBinding::OnLost(uint64_t ticket) { promises_.Fulfil(ticket, false); }

void AcceptorBinding::OnEnvironmentExit(void* self) { static_cast<AcceptorBinding*>(self)->CloseNow(); }

void AcceptorBinding::CloseNow() {
  if (!is_open_) return;
  is_open_ = false;
  napi_remove_env_cleanup_hook(Env(), OnEnvironmentExit, this);
  acceptor_->Close();
  promises_.Close();
  region_ = access_log_ = {};
}

Napi::Value AcceptorBinding::Finish(Napi::Env env, const SystemError& error) {
  if (error.is_set()) ThrowNativeError(env, error);
  return env.Undefined();
}

// Fulfilled when the thread has done what `ask` asks of it; rejected where it cannot be asked.
template <typename Ask>
Napi::Value AcceptorBinding::Promise(Napi::Env env, Ask ask) {
  if (!is_open_) {
    const Napi::Promise::Deferred deferred(env);
    deferred.Reject(MakeNativeError(env, {ESHUTDOWN, "acceptor"}).Value());
    return deferred.Promise();
  }
  uint64_t ticket = 0;
  const Napi::Value promise = promises_.Add(env, ticket);
  const SystemError error = ask(ticket);
  if (error.is_set()) promises_.Reject(env, ticket, MakeNativeError(env, error));
  return promise;
}

Napi::Value AcceptorBinding::AddListener(const Napi::CallbackInfo& info) {
  ArgumentReader arguments(info);
  const uint32_t id = arguments.Uint(0, "listenerId");
  const int fd = arguments.Descriptor(1, "fd");
  if (arguments.HasFailed()) return info.Env().Undefined();
  return Finish(info.Env(), acceptor_->AddListener(id, fd));
}

Napi::Value AcceptorBinding::RemoveListener(const Napi::CallbackInfo& info) {
  ArgumentReader arguments(info);
  const int fd = arguments.Descriptor(0, "fd");
  if (arguments.HasFailed()) return info.Env().Undefined();
  return Finish(info.Env(), acceptor_->RemoveListener(fd));
}

Napi::Value AcceptorBinding::RetireListener(const Napi::CallbackInfo& info) {
  ArgumentReader arguments(info);
  const int fd = arguments.Descriptor(0, "fd");
  if (arguments.HasFailed()) return info.Env().Undefined();
  return Promise(info.Env(), [&](uint64_t ticket) { return acceptor_->RetireListener(fd, ticket); });
}

Napi::Value AcceptorBinding::Configure(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsObject()) {
    ThrowTypeError(env, "configure: expected an object of limits");
    return env.Undefined();
  }
  OptionReader reader(env, info[0].As<Napi::Object>());
  const uint32_t max_connections = reader.Uint("maxConnectionsPerWorker");
  const uint32_t total = reader.Uint("maxConnectionsTotal");
  const ListenerOptions listeners = reader.Listeners("listeners");
  const RateRule rate_rule = reader.Rate("rateRule");
  if (reader.HasFailed()) return env.Undefined();
  if (max_connections == 0 || max_connections > INT32_MAX) {
    ThrowTypeError(env, "configure: maxConnectionsPerWorker out of range");
    return env.Undefined();
  }
  const ConnectionLimits limits = ConnectionLimits::Of(total, listeners);
  return Finish(env, acceptor_->Configure(static_cast<int32_t>(max_connections), limits, rate_rule));
}

// Once: the thread may still be writing to a region that another one takes the place of.
Napi::Value AcceptorBinding::UseAccessLog(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const SharedBytes memory = GetSharedBytes(info[0]);
  if (memory.data == nullptr || access_log_.data != nullptr) {
    ThrowTypeError(env, "useAccessLog: expected a SharedArrayBuffer, and one only");
    return env.Undefined();
  }
  const SystemError error = acceptor_->UseAccessLog(AccessRing(memory.data, memory.length, workers_));
  if (!error.is_set()) access_log_ = memory;
  return Finish(env, error);
}

Napi::Value AcceptorBinding::WorkerUp(const Napi::CallbackInfo& info) {
  ArgumentReader arguments(info);
  const auto index = static_cast<uint32_t>(arguments.Whole(0, "index", 0, workers_ - 1));
  const int primary_end = arguments.Descriptor(1, "primaryEnd");
  const int worker_end = arguments.Descriptor(2, "workerEnd");
  if (arguments.HasFailed()) return info.Env().Undefined();
  return Finish(info.Env(), acceptor_->WorkerUp(index, primary_end, worker_end));
}

Napi::Value AcceptorBinding::WorkerDown(const Napi::CallbackInfo& info) {
  ArgumentReader arguments(info);
  const auto index = static_cast<uint32_t>(arguments.Whole(0, "index", 0, workers_ - 1));
  if (arguments.HasFailed()) return info.Env().Undefined();
  return Promise(info.Env(), [&](uint64_t ticket) { return acceptor_->WorkerDown(index, ticket); });
}

Napi::Value AcceptorBinding::WorkerStalled(const Napi::CallbackInfo& info) {
  ArgumentReader arguments(info);
  const auto index = static_cast<uint32_t>(arguments.Whole(0, "index", 0, workers_ - 1));
  if (arguments.HasFailed()) return info.Env().Undefined();
  return Promise(info.Env(), [&](uint64_t ticket) { return acceptor_->WorkerStalled(index, ticket); });
}

Napi::Value AcceptorBinding::WorkerResumed(const Napi::CallbackInfo& info) {
  ArgumentReader arguments(info);
  const auto index = static_cast<uint32_t>(arguments.Whole(0, "index", 0, workers_ - 1));
  if (arguments.HasFailed()) return info.Env().Undefined();
  return Finish(info.Env(), acceptor_->WorkerResumed(index));
}

Napi::Value AcceptorBinding::Stop(const Napi::CallbackInfo& info) {
  return Promise(info.Env(), [&](uint64_t ticket) { return acceptor_->Stop(ticket); });
}

Napi::Value AcceptorBinding::Stats(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const AcceptorStats& stats = acceptor_->stats();
  Napi::Object result = Napi::Object::New(env);
  const auto set = [&](const char* name, const std::atomic<uint64_t>& count) {
    result.Set(name, Napi::Number::New(env, static_cast<double>(count.load(std::memory_order_relaxed))));
  };
  set("accepted", stats.accepted);
  set("handed", stats.handed);
  set("refused", stats.refused);
  set("recovered", stats.recovered);
  set("lost", stats.lost);
  set("pausedForDescriptors", stats.paused_for_descriptors);
  set("rested", stats.rested);
  set("brokenListeners", stats.broken_listeners);
  return result;
}

Napi::Value AcceptorBinding::Close(const Napi::CallbackInfo& info) {
  CloseNow();
  return info.Env().Undefined();
}

}  // namespace edgeproxy
