// Functions of the addon without state: shared regions, process limits, listening sockets, messages of the channel.
#include <napi.h>
#include <sys/file.h>

#include <cerrno>
#include <utility>

#include "argument_reader.h"
#include "channel.h"
#include "exports.h"
#include "listener.h"
#include "native_error.h"
#include "option_reader.h"
#include "process_limits.h"
#include "shared_buffer.h"
#include "shared_region.h"
#include "udp_socket.h"

namespace edgeproxy {

namespace {

constexpr double kMaxRegionBytes = 9007199254740991;  // Number.MAX_SAFE_INTEGER

Napi::Value Fail(Napi::Env env, const SystemError& error) {
  ThrowNativeError(env, error);
  return env.Undefined();
}

Napi::Value CreateRegion(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ArgumentReader arguments(info);
  const std::string name = arguments.Text(0, "name");
  const double bytes = arguments.Whole(1, "bytes", 1, kMaxRegionBytes);
  if (arguments.HasFailed()) return env.Undefined();

  UniqueFd fd;
  SharedRegion region;
  SystemError error = SharedRegion::Create(name.c_str(), static_cast<size_t>(bytes), fd);
  if (!error.is_set()) error = SharedRegion::Map(fd.get(), region);
  if (error.is_set()) return Fail(env, error);
  Napi::Object result = Napi::Object::New(env);
  result.Set("buffer", WrapSharedRegion(env, std::move(region)));
  result.Set("fd", Napi::Number::New(env, fd.Release()));
  return result;
}

Napi::Value MapRegion(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ArgumentReader arguments(info);
  const int fd = arguments.Descriptor(0, "fd");
  if (arguments.HasFailed()) return env.Undefined();
  SharedRegion region;
  const SystemError error = SharedRegion::Map(fd, region);
  return error.is_set() ? Fail(env, error) : WrapSharedRegion(env, std::move(region));
}

Napi::Value CloseFd(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ArgumentReader arguments(info);
  const int fd = arguments.Descriptor(0, "fd");
  if (arguments.HasFailed()) return env.Undefined();
  return Done(env, ::close(fd) == -1 ? SystemError::Last("close") : SystemError{});
}

// The kernel takes the lock back with the descriptor, also from a process that is killed.
Napi::Value TryLockFile(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ArgumentReader arguments(info);
  const int fd = arguments.Descriptor(0, "fd");
  if (arguments.HasFailed()) return env.Undefined();
  const bool is_locked = ::flock(fd, LOCK_EX | LOCK_NB) == 0;
  if (!is_locked && errno != EWOULDBLOCK) return Fail(env, SystemError::Last("flock"));
  return Napi::Boolean::New(env, is_locked);
}

Napi::Value ReleaseUnusedRegionsBinding(const Napi::CallbackInfo& info) {
  ReleaseUnusedRegions();
  return info.Env().Undefined();
}

template <SystemError (*kFunction)(FileLimit&)>
Napi::Value FileLimitBinding(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  FileLimit limit;
  const SystemError error = kFunction(limit);
  if (error.is_set()) return Fail(env, error);
  Napi::Object result = Napi::Object::New(env);
  result.Set("soft", Napi::Number::New(env, static_cast<double>(limit.soft)));
  result.Set("hard", Napi::Number::New(env, static_cast<double>(limit.hard)));
  return result;
}

Napi::Value DieWithParentBinding(const Napi::CallbackInfo& info) {
  ArgumentReader arguments(info);
  const int parent_pid = arguments.Descriptor(0, "parentPid");
  return arguments.HasFailed() ? info.Env().Undefined() : Done(info.Env(), DieWithParent(parent_pid));
}

Napi::Value BindBinding(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsObject() || !info[0].As<Napi::Object>().Get("address").IsString()) {
    ThrowTypeError(env, "bind: expected an object of options with an address");
    return env.Undefined();
  }
  const Napi::Object given = info[0].As<Napi::Object>();
  // Before the others, of which a wrong one leaves an exception pending: nothing can be asked of an object then.
  const Napi::Value udp = given.Get("isUdp");
  const bool is_udp = udp.IsBoolean() && udp.As<Napi::Boolean>().Value();
  OptionReader options(env, given);
  const uint32_t wanted_port = options.Uint("port");
  const bool is_reuse_port = options.Bool("isReusePort");
  if (options.HasFailed()) return env.Undefined();
  if (wanted_port > UINT16_MAX) {
    ThrowTypeError(env, "bind: port out of range");
    return env.Undefined();
  }

  const std::string address = given.Get("address").As<Napi::String>().Utf8Value();
  UniqueFd fd;
  uint16_t port = 0;
  const BindOptions wanted = {address.c_str(), static_cast<uint16_t>(wanted_port), is_reuse_port};
  const SystemError error = is_udp ? BindUdp(wanted, fd, port) : Bind(wanted, fd, port);
  if (error.is_set()) return Fail(env, error);
  Napi::Object result = Napi::Object::New(env);
  result.Set("fd", Napi::Number::New(env, fd.Release()));
  result.Set("port", Napi::Number::New(env, port));
  return result;
}

Napi::Value ListenBinding(const Napi::CallbackInfo& info) {
  ArgumentReader arguments(info);
  const int fd = arguments.Descriptor(0, "fd");
  const auto backlog = static_cast<int>(arguments.Whole(1, "backlog", 0, INT_MAX));
  return arguments.HasFailed() ? info.Env().Undefined() : Done(info.Env(), Listen(fd, backlog));
}

Napi::Value RefuseNewClientsBinding(const Napi::CallbackInfo& info) {
  ArgumentReader arguments(info);
  const int fd = arguments.Descriptor(0, "fd");
  return arguments.HasFailed() ? info.Env().Undefined() : Done(info.Env(), RefuseNewClients(fd));
}

Napi::Value AdoptListenerBinding(const Napi::CallbackInfo& info) {
  ArgumentReader arguments(info);
  const int fd = arguments.Descriptor(0, "fd");
  const auto backlog = static_cast<int>(arguments.Whole(1, "backlog", 0, INT_MAX));
  const bool is_reuse_port = info[2].ToBoolean();
  if (arguments.HasFailed()) return info.Env().Undefined();
  return Done(info.Env(), AdoptListener(fd, backlog, is_reuse_port));
}

Napi::Value AdoptUdpBinding(const Napi::CallbackInfo& info) {
  ArgumentReader arguments(info);
  const int fd = arguments.Descriptor(0, "fd");
  return arguments.HasFailed() ? info.Env().Undefined() : Done(info.Env(), AdoptUdp(fd));
}

Napi::Value SetCloseOnExecBinding(const Napi::CallbackInfo& info) {
  ArgumentReader arguments(info);
  const int fd = arguments.Descriptor(0, "fd");
  return arguments.HasFailed() ? info.Env().Undefined() : Done(info.Env(), SetCloseOnExec(fd));
}

Napi::Value CreateChannel(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  UniqueFd primary_end;
  UniqueFd worker_end;
  const int error = MakeChannel(primary_end, worker_end);
  if (error != 0) return Fail(env, {error, "socketpair"});
  Napi::Array ends = Napi::Array::New(env, 2);
  ends.Set(0u, Napi::Number::New(env, primary_end.Release()));
  ends.Set(1u, Napi::Number::New(env, worker_end.Release()));
  return ends;
}

// A message with one descriptor that stays the caller's.
SystemError SendDescriptor(int channel, MessageKind kind, uint32_t argument, int fd) {
  Message message;
  message.kind = kind;
  message.argument = argument;
  message.count = 1;
  message.sockets[0].fd.Reset(fd);
  const int error = SendMessage(channel, message);
  message.sockets[0].fd.Release();
  return {error, "sendmsg"};
}

template <MessageKind kKind>
Napi::Value SendDescriptorBinding(const Napi::CallbackInfo& info) {
  ArgumentReader arguments(info);
  const int channel = arguments.Descriptor(0, "channelFd");
  const uint32_t argument = arguments.Uint(1, kKind == MessageKind::kRegion ? "kind" : "listenerId");
  const int fd = arguments.Descriptor(2, "fd");
  if (arguments.HasFailed()) return info.Env().Undefined();
  return Done(info.Env(), SendDescriptor(channel, kKind, argument, fd));
}

Napi::Value SendCloseListener(const Napi::CallbackInfo& info) {
  ArgumentReader arguments(info);
  const int channel = arguments.Descriptor(0, "channelFd");
  Message message;
  message.kind = MessageKind::kCloseListener;
  message.argument = arguments.Uint(1, "listenerId");
  if (arguments.HasFailed()) return info.Env().Undefined();
  return Done(info.Env(), {SendMessage(channel, message), "sendmsg"});
}

}  // namespace

void RegisterRegion(Napi::Env env, Napi::Object exports) {
  Export<CreateRegion>(env, exports, "createRegion");
  Export<MapRegion>(env, exports, "mapRegion");
  Export<CloseFd>(env, exports, "closeFd");
  Export<TryLockFile>(env, exports, "tryLockFile");
  Export<ReleaseUnusedRegionsBinding>(env, exports, "releaseUnusedRegions");
  Export<FileLimitBinding<RaiseFileLimit>>(env, exports, "raiseFileLimit");
  Export<FileLimitBinding<ReadFileLimit>>(env, exports, "fileLimit");
  Export<DieWithParentBinding>(env, exports, "dieWithParent");
  Export<BindBinding>(env, exports, "bind");
  Export<ListenBinding>(env, exports, "listen");
  Export<RefuseNewClientsBinding>(env, exports, "refuseNewClients");
  Export<AdoptListenerBinding>(env, exports, "adoptListener");
  Export<AdoptUdpBinding>(env, exports, "adoptUdp");
  Export<SetCloseOnExecBinding>(env, exports, "setCloseOnExec");
  Export<CreateChannel>(env, exports, "createChannel");
  Export<SendDescriptorBinding<MessageKind::kRegion>>(env, exports, "sendRegion");
  Export<SendDescriptorBinding<MessageKind::kListener>>(env, exports, "sendListener");
  Export<SendCloseListener>(env, exports, "sendCloseListener");
}

}  // namespace edgeproxy
