/** `--demo`: a routing database in a folder of its own and three backends, all gone when the proxy ends. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRoutingDatabase } from '../../adapters/outbound/sqlite/routing-schema.js';
import type { ListenAddress } from '../../application/listener-config.js';
import type { ProxyConfig } from '../../application/proxy-config.js';
import type { Backend } from '../../domain/backend.js';
import { EdgeproxyError } from '../../domain/edgeproxy-error.js';
import { DEMO_NETWORKS } from './demo-geo-source.js';

const BACKENDS = [
  { region: 'sa', country: 'BR' },
  { region: 'us', country: 'US' },
  { region: 'eu', country: 'DE' },
] as const;

/** Beside this file, in src/ as in dist/. */
const BACKENDS_FILE = fileURLToPath(
  new URL(`./demo-backends${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`, import.meta.url),
);
const WILDCARDS = ['0.0.0.0', '::'];

export class Demo {
  readonly #directory: string;
  readonly #backends: ChildProcess;

  private constructor(directory: string, backends: ChildProcess) {
    this.#directory = directory;
    this.#backends = backends;
  }

  /** Resolves when the backends listen and the database is written. */
  static async start(): Promise<Demo> {
    const directory = await mkdtemp(join(tmpdir(), 'edgeproxy-demo-'));
    const regions = BACKENDS.map(({ region }) => region);
    const demo = new Demo(directory, fork(BACKENDS_FILE, regions));
    try {
      createRoutingDatabase(demo.#databasePath, describeBackends(await demo.#ports()));
      return demo;
    } catch (error) {
      await demo.close();
      throw error;
    }
  }

  /** The configuration with the demo's database instead of the user's. */
  configure(config: ProxyConfig): ProxyConfig {
    return { ...config, dbPath: this.#databasePath };
  }

  /** Idempotent. */
  async close(): Promise<void> {
    // The backends end themselves when nobody is at the other end.
    if (this.#backends.connected) this.#backends.disconnect();
    await rm(this.#directory, { recursive: true, force: true });
  }

  get #databasePath(): string {
    return join(this.#directory, 'routing.db');
  }

  async #ports(): Promise<number[]> {
    const exited = once(this.#backends, 'exit').then(() => {
      throw new EdgeproxyError('EP_DEMO', 'The backends of the demo cannot be started.', { source: 'internal' });
    });
    const [ports] = (await Promise.race([once(this.#backends, 'message'), exited])) as [number[]];
    exited.catch(() => undefined);
    return ports;
  }
}

/** What to type, for a proxy that listens on `bound`. */
export function demoInstructions([bound]: readonly ListenAddress[], popRegion: string): string {
  const { address, port } = bound ?? { address: '127.0.0.1', port: 0 };
  const host = WILDCARDS.includes(address) ? '127.0.0.1' : address;
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}/`;
  const lines = [[`curl ${url}`, `a client of no known country: this POP's region, ${popRegion}`]];
  // Only from loopback to loopback can a client choose its address.
  if (host.startsWith('127.')) {
    for (const network of DEMO_NETWORKS) {
      lines.push([`curl --interface ${network.address.replace(/0$/, '1')} ${url}`, `a client from ${network.name}`]);
    }
  }
  const width = Math.max(...lines.map(([command = '']) => command.length));
  const text = lines.map(([command = '', comment = '']) => `  ${command.padEnd(width)}   # ${comment}\n`);
  return `\nThree backends (sa, us, eu) wait behind the proxy. Try in another terminal:\n\n${text.join('')}\nCtrl+C ends it.\n\n`;
}

function describeBackends(ports: readonly number[]): Backend[] {
  return BACKENDS.map(({ region, country }, index) => ({
    id: `demo-${region}`,
    app: 'demo',
    region,
    country,
    address: '127.0.0.1',
    port: ports[index] ?? 0,
    isHealthy: true,
    isDraining: false,
    weight: 1,
    softLimit: 100,
    hardLimit: 150,
  }));
}
