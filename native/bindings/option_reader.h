// Reads an object of options; the first value of a wrong type becomes a pending TypeError that names the option.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>

#include "native_error.h"
#include "shared_buffer.h"

namespace edgeproxy {

class OptionReader {
 public:
  OptionReader(Napi::Env env, Napi::Object options) : env_(env), options_(options) {}

  // A whole number from 0 to 2^32 - 1.
  uint32_t Uint(const char* name) {
    const Napi::Value value = Get(name);
    if (!value.IsNumber()) return Fail(name, "a number"), 0;
    const double number = value.As<Napi::Number>().DoubleValue();
    if (!(number >= 0 && number <= UINT32_MAX)) return Fail(name, "a number from 0 to 2^32 - 1"), 0;
    return static_cast<uint32_t>(number);
  }
  // A 32-bit pattern, signed or not.
  uint32_t Hash(const char* name) {
    const Napi::Value value = Get(name);
    if (!value.IsNumber()) return Fail(name, "a number"), 0;
    return static_cast<uint32_t>(value.As<Napi::Number>().Int64Value());
  }
  bool Bool(const char* name) {
    const Napi::Value value = Get(name);
    if (!value.IsBoolean()) return Fail(name, "a boolean"), false;
    return value.As<Napi::Boolean>().Value();
  }
  SharedBytes Shared(const char* name) {
    SharedBytes bytes = GetSharedBytes(Get(name));
    if (bytes.data == nullptr) Fail(name, "a SharedArrayBuffer");
    return bytes;
  }
  Napi::Int32Array Words(const char* name, size_t least) {
    const Napi::Value value = Get(name);
    const bool is_words = value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_int32_array;
    if (!is_words || value.As<Napi::Int32Array>().ElementLength() < least) {
      Fail(name, "an Int32Array of the batch's size");
      return {};
    }
    return value.As<Napi::Int32Array>();
  }
  Napi::Function Function(const char* name) {
    const Napi::Value value = Get(name);
    if (!value.IsFunction()) return Fail(name, "a function"), Napi::Function();
    return value.As<Napi::Function>();
  }
  bool HasFailed() const { return has_failed_; }

 private:
  Napi::Value Get(const char* name) { return has_failed_ ? env_.Undefined() : options_.Get(name); }
  void Fail(const char* name, const char* expected) {
    if (has_failed_) return;
    has_failed_ = true;
    ThrowTypeError(env_, (std::string(name) + ": expected " + expected).c_str());
  }

  Napi::Env env_;
  Napi::Object options_;
  bool has_failed_ = false;
};

}  // namespace edgeproxy
