// Reads an object of options; the first value of a wrong type becomes a pending TypeError that names the option.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>

#include "listener_options.h"
#include "native_error.h"
#include "rate_gate.h"
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
  Napi::Uint8Array Bytes(const char* name, size_t least) {
    const Napi::Value value = Get(name);
    const bool is_bytes = value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
    if (!is_bytes || value.As<Napi::Uint8Array>().ElementLength() < least) {
      Fail(name, "a Uint8Array of the batch's size");
      return {};
    }
    return value.As<Napi::Uint8Array>();
  }
  Napi::Function Function(const char* name) {
    const Napi::Value value = Get(name);
    if (!value.IsFunction()) return Fail(name, "a function"), Napi::Function();
    return value.As<Napi::Function>();
  }
  // The fields of RateRule that RateGate needs; null = no limit.
  RateRule Rate(const char* name) {
    const Napi::Value value = Get(name);
    if (value.IsNull()) return {};
    if (!value.IsObject()) return Fail(name, "an object or null"), RateRule{};
    OptionReader fields(env_, value.As<Napi::Object>());
    const Napi::Value tick = fields.Get("tickMicros");
    const uint32_t slack = fields.Uint("slackTicks");
    const uint32_t fingerprint = fields.Hash("fingerprint");
    has_failed_ = fields.has_failed_;
    if (has_failed_) return {};
    const double tick_micros = tick.IsNumber() ? tick.As<Napi::Number>().DoubleValue() : 0;
    if (!(tick_micros >= 1) || slack > INT32_MAX) return Fail(name, "ticks of a microsecond or more"), RateRule{};
    return {tick_micros, static_cast<int32_t>(slack), fingerprint};
  }
  // An array of kListenerWords numbers for each listener that there can be.
  ListenerOptions Listeners(const char* name) {
    const Napi::Value value = Get(name);
    ListenerOptions::Words words{};
    if (!value.IsArray() || value.As<Napi::Array>().Length() != words.size()) {
      return Fail(name, "an array with the numbers of all listeners"), ListenerOptions{};
    }
    const auto numbers = value.As<Napi::Array>();
    for (uint32_t i = 0; i < words.size(); i++) {
      const Napi::Value number = numbers.Get(i);
      if (!number.IsNumber()) return Fail(name, "numbers alone"), ListenerOptions{};
      words[i] = number.As<Napi::Number>().DoubleValue();
    }
    return ListenerOptions::Of(words);
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
