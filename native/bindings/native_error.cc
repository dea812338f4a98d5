#include "native_error.h"

#include <uv.h>

#include <string>

namespace edgeproxy {

Napi::Error MakeNativeError(Napi::Env env, const SystemError& failure) {
  char name[64];
  char text[128];
  uv_err_name_r(uv_translate_sys_error(failure.code), name, sizeof name);
  uv_strerror_r(uv_translate_sys_error(failure.code), text, sizeof text);

  Napi::Error error = Napi::Error::New(env, std::string(failure.syscall) + ": " + text + " (" + name + ")");
  error.Set("code", Napi::String::New(env, "EP_SYSCALL"));
  error.Set("errnoCode", Napi::String::New(env, name));
  error.Set("errno", Napi::Number::New(env, failure.code));
  error.Set("syscall", Napi::String::New(env, failure.syscall));
  return error;
}

void ThrowNativeError(Napi::Env env, const SystemError& failure) {
  MakeNativeError(env, failure).ThrowAsJavaScriptException();
}

void ThrowTypeError(Napi::Env env, const char* message) {
  Napi::TypeError::New(env, message).ThrowAsJavaScriptException();
}

}  // namespace edgeproxy
