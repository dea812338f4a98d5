// SharedArrayBuffers over memory of our own. Node-API has no SharedArrayBuffer on Node 20, so this file alone speaks V8.
#pragma once

#include <napi.h>

#include <cstddef>
#include <memory>

#include "shared_region.h"

namespace edgeproxy {

// The memory behind a SharedArrayBuffer. `owner` keeps it mapped, also where the JavaScript object has been collected:
// whoever uses `data` after the call that got it holds a copy of `owner`. It may be released on any thread.
struct SharedBytes {
  void* data = nullptr;
  size_t length = 0;
  std::shared_ptr<void> owner;
};

// `data` is nullptr where `value` is not a SharedArrayBuffer or has no memory.
SharedBytes GetSharedBytes(Napi::Value value);

// A SharedArrayBuffer over the mapping, which is unmapped with the last reference to it.
Napi::Value WrapSharedRegion(Napi::Env env, SharedRegion region);

// Unmaps the regions that JavaScript has let go of. V8 does not count a region's pages as its own, so in a process that
// allocates next to nothing it might never collect their buffers. A full collection: some milliseconds, for rare use.
void ReleaseUnusedRegions();

}  // namespace edgeproxy
