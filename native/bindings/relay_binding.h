// The class Relay of the addon: one engine, driven by the loop of the environment that made it.
#pragma once

#include <napi.h>
#include <uv.h>

#include <memory>

#include "option_reader.h"
#include "relay.h"
#include "shared_buffer.h"

namespace edgeproxy {

class RelayBinding : public Napi::ObjectWrap<RelayBinding>, private RelayHost {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit RelayBinding(const Napi::CallbackInfo& info);
  ~RelayBinding() override;

 private:
  // libuv wants its handles to outlive uv_close; freed by the last close callback.
  struct LoopHandles {
    uv_poll_t poll;
    uv_timer_t timer;
    uv_idle_t idle;
    int open = 0;
  };

  void OnBatch(uint32_t count, const BatchClock& now) override;
  void OnRegion(uint32_t kind, UniqueFd fd) override;
  void OnLost(const SystemError& reason) override;

  static void ReadLimits(OptionReader& reader, RelayOptions& to);
  bool ReadOptions(Napi::Env env, Napi::Object options, RelayOptions& relay_options, uint32_t& worker);
  bool Start(Napi::Env env, const RelayOptions& options, uint32_t worker, UniqueFd channel);
  void Dispatch();
  template <typename Work>
  void Drive(Work work);
  void Arm();
  void CloseNow();
  static void OnEnvironmentExit(void* self);

  Napi::Value Configure(const Napi::CallbackInfo& info);
  Napi::Value CloseBackend(const Napi::CallbackInfo& info);
  Napi::Value ListConnections(const Napi::CallbackInfo& info);
  Napi::Value KillConnections(const Napi::CallbackInfo& info);
  Napi::Value KillConnection(const Napi::CallbackInfo& info);
  Napi::Value LeaveListener(const Napi::CallbackInfo& info);
  Napi::Value UseAccessLog(const Napi::CallbackInfo& info);
  Napi::Value Drain(const Napi::CallbackInfo& info);
  Napi::Value ConnectionCount(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);

  std::unique_ptr<Relay> relay_;
  SharedBytes region_;
  SharedBytes access_log_;
  // The arrays stay referenced, so their memory stays where it is.
  Napi::Reference<Napi::Int32Array> requests_;
  Napi::Reference<Napi::Int32Array> responses_;
  Napi::Reference<Napi::Uint8Array> names_;
  Napi::Reference<Napi::Int32Array> clock_;
  RouteResponse* responses_data_ = nullptr;
  BatchClock* clock_data_ = nullptr;
  Napi::FunctionReference on_batch_;
  Napi::FunctionReference on_region_;
  std::unique_ptr<Napi::AsyncContext> async_context_;
  LoopHandles* handles_ = nullptr;
  uint32_t worker_ = 0;
  uint64_t armed_for_ms_ = 0;  // 0 = not armed
  bool is_dispatching_ = false;
  bool is_close_wanted_ = false;
};

// Runs what may route clients, and so call JavaScript, which may call this object again.
template <typename Work>
void RelayBinding::Drive(Work work) {
  is_dispatching_ = true;
  work();
  is_dispatching_ = false;
  if (is_close_wanted_) return CloseNow();
  Arm();
}

}  // namespace edgeproxy
