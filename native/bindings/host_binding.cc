// Functions of the addon about what the process runs on: its supervisor, what that handed over, its CPUs.
#include <napi.h>

#include <string>
#include <vector>

#include "argument_reader.h"
#include "cpu_affinity.h"
#include "exports.h"
#include "handed_socket.h"
#include "native_error.h"
#include "notify_socket.h"

namespace edgeproxy {

namespace {

Napi::Value SendNotificationBinding(const Napi::CallbackInfo& info) {
  ArgumentReader arguments(info);
  const std::string name = arguments.Text(0, "name");
  const std::string text = arguments.Text(1, "text");
  return arguments.HasFailed() ? info.Env().Undefined() : Done(info.Env(), SendNotification(name, text));
}

const char* FamilyName(int family) {
  switch (family) {
    case AF_INET:
      return "ipv4";
    case AF_INET6:
      return "ipv6";
    case AF_UNIX:
      return "unix";
    default:
      return "other";
  }
}

const char* TypeName(int type) {
  switch (type) {
    case SOCK_STREAM:
      return "stream";
    case SOCK_DGRAM:
      return "datagram";
    default:
      return "other";
  }
}

Napi::Value DescribeSocketBinding(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ArgumentReader arguments(info);
  const int fd = arguments.Descriptor(0, "fd");
  if (arguments.HasFailed()) return env.Undefined();
  HandedSocket socket;
  const SystemError error = DescribeSocket(fd, socket);
  if (error.is_set()) return Done(env, error);
  Napi::Object result = Napi::Object::New(env);
  result.Set("family", FamilyName(socket.family));
  result.Set("type", TypeName(socket.type));
  result.Set("isListening", Napi::Boolean::New(env, socket.is_listening));
  result.Set("address", socket.address);
  result.Set("port", Napi::Number::New(env, socket.port));
  return result;
}

Napi::Value AllowedCpusBinding(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::vector<uint32_t> cpus;
  const SystemError error = AllowedCpus(cpus);
  if (error.is_set()) return Done(env, error);
  Napi::Array result = Napi::Array::New(env, cpus.size());
  for (size_t i = 0; i < cpus.size(); i++) result.Set(static_cast<uint32_t>(i), Napi::Number::New(env, cpus[i]));
  return result;
}

Napi::Value PinToCpuBinding(const Napi::CallbackInfo& info) {
  ArgumentReader arguments(info);
  const uint32_t cpu = arguments.Uint(0, "cpu");
  return arguments.HasFailed() ? info.Env().Undefined() : Done(info.Env(), PinToCpu(cpu));
}

}  // namespace

void RegisterHost(Napi::Env env, Napi::Object exports) {
  Export<SendNotificationBinding>(env, exports, "sendNotification");
  Export<DescribeSocketBinding>(env, exports, "describeSocket");
  Export<AllowedCpusBinding>(env, exports, "allowedCpus");
  Export<PinToCpuBinding>(env, exports, "pinToCpu");
}

}  // namespace edgeproxy
