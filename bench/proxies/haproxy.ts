/**
 * HAProxy as its own experts would run it for TCP: one thread, no log, and room for every connection of the bench.
 * `maxconn` follows the file limit: a connection needs two descriptors, and HAProxy itself reserves maxconn / 4 pipes of two.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProxyDefinition } from '../src/model.js';
import { siteNames } from '../src/site-names.js';
import { findProgram, firstLineOf, hardFileLimit } from '../src/programs.js';

const DESCRIPTORS_PER_CONNECTION = 2.5;
const OTHER_DESCRIPTORS = 200;
const MOST_CONNECTIONS = 20_000;

export interface HaproxyFlavour {
  readonly name: string;
  readonly summary: string;
  readonly works?: readonly string[];
  readonly globals?: readonly string[];
  readonly options: readonly string[];
  /** Further lines of the listener. */
  readonly listener?: readonly string[];
}

/** By the server name, as HAProxy's documentation does it: wait for the ClientHello, then look the name up. */
function byServerName(map: string, server: string): string[] {
  return [
    '  tcp-request inspect-delay 5s',
    '  tcp-request content accept if { req_ssl_hello_type 1 }',
    `  use_backend %[req_ssl_sni,lower,map(${map})]`,
    'backend sites',
    server,
  ];
}

function configuration(flavour: HaproxyFlavour, listenPort: number, backend: string, map?: string): string {
  const server = `  server backend ${backend}`;
  const affordable = Math.floor((hardFileLimit() - OTHER_DESCRIPTORS) / DESCRIPTORS_PER_CONNECTION);
  return [
    'global',
    '  nbthread 1',
    `  maxconn ${Math.min(MOST_CONNECTIONS, affordable)}`,
    ...(flavour.globals ?? []).map((line) => `  ${line}`),
    'defaults',
    '  mode tcp',
    '  timeout connect 5s',
    '  timeout client 1h',
    '  timeout server 1h',
    '  timeout client-fin 30s',
    '  timeout server-fin 30s',
    ...flavour.options.map((line) => `  option ${line}`),
    map === undefined ? 'listen bench' : 'frontend bench',
    `  bind 127.0.0.1:${listenPort} backlog 4096`,
    ...(flavour.listener ?? []).map((line) => `  ${line}`),
    ...(map === undefined ? [server] : byServerName(map, server)),
    '',
  ].join('\n');
}

export function haproxyFlavour(flavour: HaproxyFlavour): ProxyDefinition {
  return {
    name: flavour.name,
    summary: flavour.summary,
    ...(flavour.works === undefined ? {} : { works: flavour.works }),
    missing: () => (findProgram('haproxy') === undefined ? 'not installed: apt-get install haproxy' : undefined),
    version: () => firstLineOf(findProgram('haproxy') ?? 'haproxy', ['-v']),
    prepare: ({ listenPort, backendAddress, backendPort, backendKind, directory }) => {
      const file = join(directory, 'haproxy.cfg');
      const map = backendKind === 'hello' ? join(directory, 'names.map') : undefined;
      if (map !== undefined) writeFileSync(map, siteNames.map((name) => `${name} sites\n`).join(''));
      writeFileSync(file, configuration(flavour, listenPort, `${backendAddress}:${backendPort}`, map));
      return { command: findProgram('haproxy') ?? 'haproxy', args: ['-db', '-f', file] };
    },
  };
}

export const haproxy = haproxyFlavour({
  name: 'haproxy',
  summary: 'mode tcp, splice-auto, nbthread 1',
  options: ['splice-auto'],
});
