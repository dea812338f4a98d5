#include "shared_buffer.h"

#include <sys/mman.h>

// V8's headers do not compile under -Wconversion -Werror.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wfloat-conversion"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wpragmas"
#include <v8.h>
#pragma GCC diagnostic pop

#include <cstring>
#include <utility>

namespace edgeproxy {

// Node-API keeps a napi_value and a v8::Local interchangeable in size and content (js_native_api_v8.h).
static_assert(sizeof(napi_value) == sizeof(v8::Local<v8::Value>));

static v8::Local<v8::Value> ToLocal(napi_value value) {
  v8::Local<v8::Value> local;
  std::memcpy(static_cast<void*>(&local), &value, sizeof value);
  return local;
}

static napi_value FromLocal(v8::Local<v8::Value> local) {
  napi_value value;
  std::memcpy(&value, static_cast<const void*>(&local), sizeof value);
  return value;
}

static void Unmap(void* data, size_t length, void*) { ::munmap(data, length); }

SharedBytes GetSharedBytes(Napi::Value value) {
  if (value.IsEmpty()) return {};
  const v8::Local<v8::Value> local = ToLocal(value);
  if (!local->IsSharedArrayBuffer()) return {};
  std::shared_ptr<v8::BackingStore> store = local.As<v8::SharedArrayBuffer>()->GetBackingStore();
  return {store->Data(), store->ByteLength(), store};
}

void ReleaseUnusedRegions() { v8::Isolate::GetCurrent()->LowMemoryNotification(); }

Napi::Value WrapSharedRegion(Napi::Env env, SharedRegion region) {
  const size_t length = region.length();
  std::shared_ptr<v8::BackingStore> store =
      v8::SharedArrayBuffer::NewBackingStore(region.Release(), length, Unmap, nullptr);
  const v8::Local<v8::SharedArrayBuffer> buffer = v8::SharedArrayBuffer::New(v8::Isolate::GetCurrent(), store);
  return Napi::Value(env, FromLocal(buffer));
}

}  // namespace edgeproxy
