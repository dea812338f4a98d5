#include "promise_board.h"

#include <unordered_map>
#include <utility>

namespace edgeproxy {

// Touched on the loop's thread alone.
struct PromiseBoard::Waiting {
  napi_threadsafe_function function = nullptr;
  std::unordered_map<uint64_t, napi_deferred> deferred;
  uint64_t last_ticket = 0;

  void Forget(napi_env env, uint64_t ticket) {
    deferred.erase(ticket);
    if (deferred.empty() && function != nullptr) napi_unref_threadsafe_function(env, function);
  }
};

// Tickets and what they are fulfilled with travel as the data pointer of a call: nothing to allocate, nothing to free where the environment is gone.
static_assert(sizeof(void*) >= sizeof(uint64_t));

bool PromiseBoard::Open(Napi::Env env, const char* name) {
  auto* waiting = new Waiting;
  // Unbounded, yet it never holds more calls than there are promises.
  const napi_status status =
      napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, name), 0, 1, waiting, Finalize,
                                      waiting, Deliver, &waiting->function);
  if (status != napi_ok) {
    delete waiting;
    return false;
  }
  waiting_ = waiting;
  function_ = waiting->function;
  napi_unref_threadsafe_function(env, function_);
  return true;
}

Napi::Value PromiseBoard::Add(Napi::Env env, uint64_t& ticket) {
  if (waiting_->deferred.empty()) napi_ref_threadsafe_function(env, function_);
  ticket = ++waiting_->last_ticket;
  napi_value promise = nullptr;
  napi_deferred deferred = nullptr;
  // Fails only where the environment is ending; then nobody looks at the promise.
  if (napi_create_promise(env, &deferred, &promise) == napi_ok) waiting_->deferred.emplace(ticket, deferred);
  return Napi::Value(env, promise);
}

void PromiseBoard::Fulfil(uint64_t ticket, bool value) {
  napi_call_threadsafe_function(function_, reinterpret_cast<void*>(ticket << 1 | (value ? 1 : 0)), napi_tsfn_nonblocking);
}

void PromiseBoard::Reject(Napi::Env env, uint64_t ticket, Napi::Error reason) {
  const auto found = waiting_->deferred.find(ticket);
  if (found == waiting_->deferred.end()) return;
  napi_reject_deferred(env, found->second, reason.Value());
  waiting_->Forget(env, ticket);
}

void PromiseBoard::Deliver(napi_env env, napi_value, void* context, void* data) {
  // The environment is ending, and `context` may be gone already.
  if (env == nullptr) return;
  auto* waiting = static_cast<Waiting*>(context);
  const auto ticket = reinterpret_cast<uint64_t>(data) >> 1;
  const auto found = waiting->deferred.find(ticket);
  if (found == waiting->deferred.end()) return;
  // Node-API itself rather than its C++ wrapper, which ends the process where a terminating thread cannot run JavaScript.
  napi_value value = nullptr;
  napi_get_boolean(env, (reinterpret_cast<uint64_t>(data) & 1) != 0, &value);
  napi_resolve_deferred(env, found->second, value);
  waiting->Forget(env, ticket);
}

void PromiseBoard::Finalize(napi_env, void* waiting, void*) { delete static_cast<Waiting*>(waiting); }

void PromiseBoard::Close() {
  const napi_threadsafe_function function = std::exchange(function_, nullptr);
  if (function == nullptr) return;
  std::exchange(waiting_, nullptr)->function = nullptr;
  napi_release_threadsafe_function(function, napi_tsfn_release);
}

}  // namespace edgeproxy
