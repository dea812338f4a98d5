// Reads positional arguments; the first of a wrong type becomes a pending TypeError that names it.
#pragma once

#include <napi.h>

#include <climits>
#include <cmath>
#include <cstdint>
#include <string>

#include "native_error.h"

namespace edgeproxy {

class ArgumentReader {
 public:
  explicit ArgumentReader(const Napi::CallbackInfo& info) : info_(info) {}

  // A whole number from `least` to `most`; 0 where it is not one.
  double Whole(size_t index, const char* name, double least, double most) {
    const Napi::Value value = info_[index];
    const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
    if (number >= least && number <= most && number == std::trunc(number)) return number;
    Fail(name, "a whole number in range");
    return 0;
  }
  int Descriptor(size_t index, const char* name) { return static_cast<int>(Whole(index, name, 0, INT_MAX)); }
  uint32_t Uint(size_t index, const char* name) { return static_cast<uint32_t>(Whole(index, name, 0, UINT32_MAX)); }
  std::string Text(size_t index, const char* name) {
    const Napi::Value value = info_[index];
    if (value.IsString()) return value.As<Napi::String>().Utf8Value();
    Fail(name, "a string");
    return {};
  }
  Napi::Float64Array Doubles(size_t index, const char* name, size_t least) {
    return Typed<Napi::Float64Array>(index, name, napi_float64_array, least, "a Float64Array of the right size");
  }
  Napi::Uint8Array Bytes(size_t index, const char* name, size_t least) {
    return Typed<Napi::Uint8Array>(index, name, napi_uint8_array, least, "a Uint8Array of the right size");
  }
  bool HasFailed() const { return has_failed_; }

 private:
  template <typename Array>
  Array Typed(size_t index, const char* name, napi_typedarray_type type, size_t least, const char* expected) {
    const Napi::Value value = info_[index];
    if (value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == type) {
      const auto array = value.As<Array>();
      if (array.ElementLength() >= least) return array;
    }
    Fail(name, expected);
    return {};
  }
  void Fail(const char* name, const char* expected) {
    if (has_failed_) return;
    has_failed_ = true;
    ThrowTypeError(info_.Env(), (std::string(name) + ": expected " + expected).c_str());
  }

  const Napi::CallbackInfo& info_;
  bool has_failed_ = false;
};

}  // namespace edgeproxy
