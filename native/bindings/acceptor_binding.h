// The class Acceptor of the addon: the engine's thread and the promises that wait for it.
#pragma once

#include <napi.h>

#include <memory>

#include "acceptor.h"
#include "promise_board.h"
#include "shared_buffer.h"

namespace edgeproxy {

class AcceptorBinding : public Napi::ObjectWrap<AcceptorBinding>, private AcceptorObserver {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit AcceptorBinding(const Napi::CallbackInfo& info);
  ~AcceptorBinding() override;

 private:
  // On the acceptor's thread.
  void OnDone(uint64_t ticket) override;
  void OnLost(uint64_t ticket) override;

  void Start(Napi::Env env, const AcceptorOptions& options);
  // Shared by close(), the destructor and the end of the environment.
  void CloseNow();
  static void OnEnvironmentExit(void* self);
  Napi::Value Finish(Napi::Env env, const SystemError& error);
  template <typename Ask>
  Napi::Value Promise(Napi::Env env, Ask ask);

  Napi::Value AddListener(const Napi::CallbackInfo& info);
  Napi::Value RemoveListener(const Napi::CallbackInfo& info);
  Napi::Value RetireListener(const Napi::CallbackInfo& info);
  Napi::Value Configure(const Napi::CallbackInfo& info);
  Napi::Value UseAccessLog(const Napi::CallbackInfo& info);
  Napi::Value WorkerUp(const Napi::CallbackInfo& info);
  Napi::Value WorkerDown(const Napi::CallbackInfo& info);
  Napi::Value WorkerStalled(const Napi::CallbackInfo& info);
  Napi::Value WorkerResumed(const Napi::CallbackInfo& info);
  Napi::Value Stop(const Napi::CallbackInfo& info);
  Napi::Value Stats(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);

  SharedBytes region_;
  SharedBytes access_log_;
  uint32_t workers_ = 0;
  PromiseBoard promises_;
  std::unique_ptr<Acceptor> acceptor_;
  bool is_open_ = false;
};

}  // namespace edgeproxy
