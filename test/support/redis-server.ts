/** A real redis-server of a test's own, with a client to fill it; `apt-get install redis-server` brings it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createClient } from 'redis';
import { eventually } from './eventually.js';
import { DIE_WITH_PARENT, forget, killAtExit } from './live-processes.js';
import { scratchDirectory, type Owner } from './scratch-directory.js';

const PORT = 6379;
let servers = 0;

/** Addresses of this process's own on the loopback: the port must be known before the server is there, and after it is gone. */
export function ownRedisAddress(): string {
  return `127.${80 + servers++}.${(process.pid >> 8) & 255}.${process.pid & 255}`;
}

export type TestClient = ReturnType<typeof clientFor>;

function clientFor(host: string, password?: string) {
  return createClient({
    RESP: 2,
    socket: { host, port: PORT, reconnectStrategy: false },
    ...(password === undefined ? {} : { password }),
  });
}

export class RedisServer {
  readonly url: string;
  readonly client: TestClient;
  readonly #child: ChildProcess;

  private constructor(address: string, child: ChildProcess, client: TestClient) {
    this.url = `redis://${address}:${PORT}`;
    this.#child = child;
    this.client = client;
  }

  static async start(owner: Owner, address = ownRedisAddress(), password?: string): Promise<RedisServer> {
    const folder = await scratchDirectory(owner);
    const options = ['--bind', address, '--port', String(PORT), '--save', '', '--dir', folder];
    const auth = password === undefined ? [] : ['--requirepass', password];
    const [command = '', ...args] = [...DIE_WITH_PARENT, 'redis-server', ...options, ...auth];
    const child = spawn(command, args, { stdio: 'ignore' });
    await once(child, 'spawn');
    killAtExit(child.pid ?? 0);
    const client = await eventually(
      'redis-server answers; is it installed?',
      async () => {
        const next = clientFor(address, password);
        next.on('error', () => undefined);
        return next.connect().catch(() => undefined);
      },
      { state: () => child.exitCode },
    );
    const server = new RedisServer(address, child, client);
    owner.after(() => server.stop());
    return server;
  }

  /** As dynamic-proxy writes it. */
  async put(name: string, value: unknown): Promise<void> {
    await this.client.set(`proxy:backends:${name}`, typeof value === 'string' ? value : JSON.stringify(value));
  }

  async remove(name: string): Promise<void> {
    await this.client.del(`proxy:backends:${name}`);
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    if (this.client.isOpen) this.client.destroy();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
    forget(this.#child.pid ?? 0);
  }
}
