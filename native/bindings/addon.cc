// The addon's entry: each binding file registers its own part. Only this folder knows JavaScript.
#include <napi.h>

#include "exports.h"

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  edgeproxy::RegisterRegion(env, exports);
  edgeproxy::RegisterHost(env, exports);
  edgeproxy::RegisterAcceptor(env, exports);
  edgeproxy::RegisterRelay(env, exports);
  return exports;
}

NODE_API_MODULE(edgeproxy, Init)
