/**
 * nginx stream as its own experts would run it: one worker, epoll, no log, a listener of the worker's own (reuseport), half-close
 * passed on, and a buffer that a bulk transfer fills.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProxyDefinition } from '../src/model.js';
import { findProgram, firstLineOf, hardFileLimit } from '../src/programs.js';

const STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so';
const MOST_CONNECTIONS = 40_000;

export interface NginxFlavour {
  readonly name: string;
  readonly summary: string;
  readonly works?: readonly string[];
  readonly bufferSize: string;
}

function configuration(bufferSize: string, listenPort: number, backendPort: number, directory: string): string {
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
    '  server {',
    `    listen 127.0.0.1:${listenPort} reuseport backlog=4096;`,
    '    tcp_nodelay on;',
    `    proxy_buffer_size ${bufferSize};`,
    '    proxy_half_close on;',
    '    proxy_connect_timeout 5s;',
    '    proxy_timeout 1h;',
    `    proxy_pass 127.0.0.1:${backendPort};`,
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
    prepare: ({ listenPort, backendPort, directory }) => {
      const file = join(directory, 'nginx.conf');
      writeFileSync(file, configuration(flavour.bufferSize, listenPort, backendPort, directory));
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
