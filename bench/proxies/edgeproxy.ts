/**
 * This proxy, one worker against one thread of the others. Geo look-up, affinity and limits are always on: they cannot be switched off.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BackendKind, ProxyDefinition } from '../src/model.js';
import { firstLineOf } from '../src/programs.js';
import { datagramFile, namesFile, type Ends } from './edgeproxy-files.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

function createRoutingDatabase(file: string, ip: string, port: number): void {
  const backend = { id: 'b1', app: 'bench', region: 'sa', country: 'BR', ip, port };
  // Limits are on, but out of the way of every work.
  const limits = { weight: 1, 'soft-limit': 100_000, 'hard-limit': 0 };
  const flags = Object.entries({ db: file, ...backend, ...limits }).flatMap(([name, value]) => [
    `--${name}`,
    String(value),
  ]);
  execFileSync(process.execPath, [MAIN, 'backend', 'add', ...flags], { stdio: ['ignore', 'ignore', 'inherit'] });
}

export interface EdgeproxyFlavour {
  readonly name: string;
  readonly summary: string;
  readonly works?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The configuration file; none unless the work needs one. */
  readonly config?: (ends: Ends) => string;
}

/** Works that a flavour of any kind takes part in. */
const FILES: Partial<Record<BackendKind, (ends: Ends) => string>> = { datagram: datagramFile, hello: namesFile };

export function edgeproxyWith(accept: 'handoff' | 'reuseport', flavour?: EdgeproxyFlavour): ProxyDefinition {
  return {
    name: flavour?.name ?? `edgeproxy-${accept}`,
    summary: flavour?.summary ?? `this proxy, --accept ${accept}`,
    ...(flavour?.works === undefined ? {} : { works: flavour.works }),
    missing: () => (existsSync(MAIN) ? undefined : 'not built: run npm ci in the repository'),
    version: () => firstLineOf(process.execPath, [MAIN, '--version']),
    prepare: ({ listenPort, backendAddress, backendPort, backendKind, directory, workers }) => {
      const database = join(directory, 'routing.db');
      createRoutingDatabase(database, backendAddress, backendPort);
      const listen = `127.0.0.1:${listenPort}`;
      const config = flavour?.config ?? FILES[backendKind];
      const file = join(directory, 'edgeproxy.toml');
      if (config !== undefined) writeFileSync(file, config({ listen, backend: `${backendAddress}:${backendPort}` }));
      const given = config === undefined ? [] : ['--config', file];
      return {
        command: process.execPath,
        args: [MAIN, 'start', '--workers', String(workers), '--accept', accept, ...given],
        env: {
          ...(config === undefined ? { EDGEPROXY_LISTEN_ADDR: listen } : {}),
          EDGEPROXY_DB_PATH: database,
          EDGEPROXY_LOG_LEVEL: 'warn',
          ...flavour?.env,
        },
      };
    },
  };
}
