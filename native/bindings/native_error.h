// Failures of the system as JavaScript sees them: NativeError in src/adapters/outbound/native/native-addon.ts.
#pragma once

#include <napi.h>

#include "system_error.h"

namespace edgeproxy {

// An Error with `code` EP_SYSCALL, `errnoCode` (EADDRINUSE), `errno` (positive) and `syscall`.
Napi::Error MakeNativeError(Napi::Env env, const SystemError& failure);

// Both leave an exception pending: return to JavaScript at once.
void ThrowNativeError(Napi::Env env, const SystemError& failure);
void ThrowTypeError(Napi::Env env, const char* message);

// What a function returns that gives nothing: undefined, with the exception pending where it failed.
inline Napi::Value Done(Napi::Env env, const SystemError& failure) {
  if (failure.is_set()) ThrowNativeError(env, failure);
  return env.Undefined();
}

}  // namespace edgeproxy
