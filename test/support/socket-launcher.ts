/**
 * Starts a program with sockets, as a service manager does: descriptors from 3 on, and variables that say so. To be put before the
 * command (ProxyOptions.prefix); the process stays the same.
 */
import { program } from './program.js';

export interface SocketPlan {
  readonly kind: 'tcp' | 'udp' | 'unix' | 'pipe' | 'not-listening';
  readonly name?: string;
  /** 127.0.0.1 unless given. */
  readonly address?: string;
  /** Has the port of the first socket. */
  readonly isBeside?: boolean;
}

export interface LaunchOptions {
  /** EDGEPROXY_LISTEN_ADDR becomes the first socket's address, EDGEPROXY_UDP_LISTEN_ADDR the first UDP socket's. */
  readonly isConfigured?: boolean;
  /** LISTEN_PID is that of another process. */
  readonly isForAnother?: boolean;
  /** LISTEN_FDS, where it is to be wrong. */
  readonly count?: string;
}

const SCRIPT = `
import json, os, socket, sys
plans, options = json.loads(sys.argv[1]), json.loads(sys.argv[2])
kinds = {"tcp": socket.SOCK_STREAM, "not-listening": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
opened, port, env = [], 0, dict(os.environ)
for plan in plans:
    kind, address = plan["kind"], plan.get("address", "127.0.0.1")
    if kind == "pipe":
        opened.append(os.dup(os.pipe()[0]))
        continue
    if kind == "unix":
        one = socket.socket(socket.AF_UNIX)
        one.bind("")
        one.listen()
    else:
        one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kinds[kind])
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind((address, port if plan.get("isBeside") else 0))
        if kind == "tcp":
            one.listen(64)
        port = port or one.getsockname()[1]
        variable = "EDGEPROXY_UDP_LISTEN_ADDR" if kind == "udp" else "EDGEPROXY_LISTEN_ADDR"
        if options.get("isConfigured") and not plan.get("isBeside"):
            env[variable] = "%s:%d" % ("[" + address + "]" if ":" in address else address, one.getsockname()[1])
    opened.append(one.detach())
high = [os.dup2(fd, 200 + index, inheritable=False) for index, fd in enumerate(opened)]
for index, fd in enumerate(high):
    os.dup2(fd, 3 + index, inheritable=True)
env["LISTEN_PID"] = str(os.getpid() + (1 if options.get("isForAnother") else 0))
env["LISTEN_FDS"] = options.get("count", str(len(plans)))
env["LISTEN_FDNAMES"] = ":".join(plan.get("name", "edgeproxy.socket") for plan in plans)
os.execvpe(sys.argv[3], sys.argv[3:], env)
`;

export function withSockets(plans: readonly SocketPlan[], options: LaunchOptions = {}): readonly string[] {
  return [program('python3', 'python3'), '-c', SCRIPT, JSON.stringify(plans), JSON.stringify(options)];
}
