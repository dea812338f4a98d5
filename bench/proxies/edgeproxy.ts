/**
 * This proxy, one worker against one thread of the others. Geo look-up, affinity and limits are always on: they cannot be switched off.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ProxyDefinition } from '../src/model.js';
import { firstLineOf } from '../src/programs.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

function createRoutingDatabase(file: string, backendPort: number): void {
  const backend = { id: 'b1', app: 'bench', region: 'sa', country: 'BR', ip: '127.0.0.1', port: backendPort };
  // Limits are on, but out of the way of every work.
  const limits = { weight: 1, 'soft-limit': 100_000, 'hard-limit': 0 };
  const flags = Object.entries({ db: file, ...backend, ...limits }).flatMap(([name, value]) => [
    `--${name}`,
    String(value),
  ]);
  execFileSync(process.execPath, [MAIN, 'backend', 'add', ...flags], { stdio: ['ignore', 'ignore', 'inherit'] });
}

export function edgeproxyWith(accept: 'handoff' | 'reuseport'): ProxyDefinition {
  return {
    name: `edgeproxy-${accept}`,
    summary: `this proxy, --accept ${accept}`,
    missing: () => (existsSync(MAIN) ? undefined : 'not built: run npm ci in the repository'),
    version: () => firstLineOf(process.execPath, [MAIN, '--version']),
    prepare: ({ listenPort, backendPort, directory, workers }) => {
      const database = join(directory, 'routing.db');
      createRoutingDatabase(database, backendPort);
      return {
        command: process.execPath,
        args: [MAIN, 'start', '--workers', String(workers), '--accept', accept],
        env: {
          EDGEPROXY_LISTEN_ADDR: `127.0.0.1:${listenPort}`,
          EDGEPROXY_DB_PATH: database,
          EDGEPROXY_LOG_LEVEL: 'warn',
        },
      };
    },
  };
}
