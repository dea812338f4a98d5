// Promises that another thread fulfils, by number. An open board keeps the loop alive only while promises wait.
#pragma once

#include <napi.h>

#include <cstdint>

namespace edgeproxy {

class PromiseBoard {
 public:
  PromiseBoard() = default;
  PromiseBoard(const PromiseBoard&) = delete;
  PromiseBoard& operator=(const PromiseBoard&) = delete;
  ~PromiseBoard() { Close(); }

  bool Open(Napi::Env env, const char* name);
  // A new promise; `ticket` is its number.
  Napi::Value Add(Napi::Env env, uint64_t& ticket);
  // Fulfils it with that, soon; from any thread, once per ticket, and before Close.
  void Fulfil(uint64_t ticket, bool value);
  // The same at once, for a ticket that no other thread knows.
  void Reject(Napi::Env env, uint64_t ticket, Napi::Error reason);
  // What Fulfil was called for is still delivered while the loop runs; idempotent.
  void Close();

 private:
  struct Waiting;
  static void Deliver(napi_env env, napi_value, void* waiting, void* ticket);
  static void Finalize(napi_env env, void* waiting, void*);

  napi_threadsafe_function function_ = nullptr;
  // Belongs to `function_`, which outlives this object by as long as it has something to deliver.
  Waiting* waiting_ = nullptr;
};

}  // namespace edgeproxy
