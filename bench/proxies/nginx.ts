/**
 * nginx stream as its own experts would run it: one worker, epoll, no log, a listener of the worker's own (reuseport), half-close
 * passed on, and a buffer that a bulk transfer fills.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BackendKind, ProxyDefinition } from '../src/model.js';
import { siteNames } from '../src/site-names.js';
import { findProgram, firstLineOf, hardFileLimit } from '../src/programs.js';

const STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so';
const MOST_CONNECTIONS = 40_000;

export interface NginxFlavour {
  readonly name: string;
  readonly summary: string;
  readonly works?: readonly string[];
  readonly bufferSize: string;
  /** Further lines of the stream block. */
  readonly stream?: readonly string[];
}

/** What goes into the stream block, and how a server of it treats its clients. */
interface Service {
  readonly stream: readonly string[];
  readonly server: (address: string) => readonly string[];
}

function overTcp(backend: string): Service {
  const server = (address: string): string[] => [
    `listen ${address} reuseport backlog=4096;`,
    'tcp_nodelay on;',
    'proxy_half_close on;',
    `proxy_pass ${backend};`,
  ];
  return { stream: [], server };
}

/** A session lasts until its timeout: without proxy_responses any number of answers belongs to it. */
function overUdp(backend: string): Service {
  return { stream: [], server: (address) => [`listen ${address} udp reuseport;`, `proxy_pass ${backend};`] };
}

function byServerName(backend: string): Service {
  const names = siteNames.map((name) => `  ${name} sites;`);
  const stream = [`upstream sites { server ${backend}; }`, 'map $ssl_preread_server_name $site {', ...names, '}'];
  const server = (address: string): string[] => [
    `listen ${address} reuseport backlog=4096;`,
    'tcp_nodelay on;',
    'proxy_half_close on;',
    'ssl_preread on;',
    'proxy_pass $site;',
  ];
  return { stream, server };
}

function serviceOf(kind: BackendKind, backend: string): Service {
  if (kind === 'datagram') return overUdp(backend);
  return kind === 'hello' ? byServerName(backend) : overTcp(backend);
}

function configuration(flavour: NginxFlavour, listenPort: number, service: Service, directory: string): string {
  const descriptors = Math.min(hardFileLimit(), MOST_CONNECTIONS);
  return [
    // Without a module file the program is taken to have stream built in.
    existsSync(STREAM_MODULE) ? `load_module ${STREAM_MODULE};` : '',
    process.getuid?.() === 0 ? 'user root root;' : '',
    'daemon off;',
    'worker_processes 1;',
    `worker_rlimit_nofile ${descriptors};`,
    `pid ${join(directory, 'nginx.pid')};`,
    `error_log ${join(directory, 'error.log')} error;`,
    `events { use epoll; worker_connections ${descriptors}; multi_accept on; }`,
    'stream {',
    '  access_log off;',
    ...[...(flavour.stream ?? []), ...service.stream].map((line) => `  ${line}`),
    '  server {',
    ...service.server(`127.0.0.1:${listenPort}`).map((line) => `    ${line}`),
    `    proxy_buffer_size ${flavour.bufferSize};`,
    '    proxy_connect_timeout 5s;',
    '    proxy_timeout 1h;',
    '  }',
    '}',
    '',
  ].join('\n');
}

export function nginxFlavour(flavour: NginxFlavour): ProxyDefinition {
  return {
    name: flavour.name,
    summary: flavour.summary,
    ...(flavour.works === undefined ? {} : { works: flavour.works }),
    missing: () =>
      findProgram('nginx') === undefined ? 'not installed: apt-get install nginx libnginx-mod-stream' : undefined,
    version: () => firstLineOf(findProgram('nginx') ?? 'nginx', ['-v']),
    prepare: ({ listenPort, backendAddress, backendPort, backendKind, directory }) => {
      const file = join(directory, 'nginx.conf');
      const service = serviceOf(backendKind, `${backendAddress}:${backendPort}`);
      writeFileSync(file, configuration(flavour, listenPort, service, directory));
      const args = ['-p', directory, '-e', join(directory, 'error.log'), '-c', file];
      return { command: findProgram('nginx') ?? 'nginx', args };
    },
  };
}

export const nginx = nginxFlavour({
  name: 'nginx',
  summary: 'stream module, one worker, 32k buffers',
  bufferSize: '32k',
});
