// What each binding file adds to the addon's exports.
#pragma once

#include <napi.h>

namespace edgeproxy {

// A function of the addon under that name.
template <Napi::Value (*kFunction)(const Napi::CallbackInfo&)>
void Export(Napi::Env env, Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<kFunction>(env, name));
}

// createRegion, mapRegion, closeFd, tryLockFile, raiseFileLimit, dieWithParent, listen, createChannel, send*.
void RegisterRegion(Napi::Env env, Napi::Object exports);
// sendNotification, describeSocket, allowedCpus, pinToCpu.
void RegisterHost(Napi::Env env, Napi::Object exports);
// The class Acceptor.
void RegisterAcceptor(Napi::Env env, Napi::Object exports);
// The class Relay.
void RegisterRelay(Napi::Env env, Napi::Object exports);

}  // namespace edgeproxy
