/**
 * deploy/Dockerfile and deploy/compose.yaml, without a container engine: the files that the image holds run as another user, and
 * the three POPs route as they say, each on an address of its own.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { get } from 'node:http';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { killAtExit } from '../support/live-processes.js';
import { startProxy } from '../support/proxy-process.js';
import { scratchDirectory, type Owner } from '../support/scratch-directory.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DEPLOY = join(ROOT, 'deploy');
const TIME_LIMIT = { timeout: 120_000 };
const REGIONS = ['sa', 'us', 'eu'] as const;
const NOBODY = 65_534;

function textOf(path: string): string {
  return readFileSync(join(DEPLOY, path), 'utf8');
}

/** What the Dockerfile copies: from the build's folder into the image, or from the clone into the build's folder. */
function copies(stage: 'build' | 'image'): string[][] {
  const lines = textOf('Dockerfile').match(/^COPY .*$/gm) ?? [];
  return lines
    .filter((line) => line.includes('--from=build') === (stage === 'image'))
    .map((line) => line.split(' ').filter((word) => word !== 'COPY' && !word.startsWith('--')));
}

/** The image's folder, from what is built here. */
async function assemble(owner: Owner): Promise<string> {
  const folder = join(await scratchDirectory(owner), 'opt');
  for (const [from = '', to = ''] of copies('image')) {
    const source = join(ROOT, from.replace(/^\/build\//, ''));
    const target = join(folder, to.endsWith('/') ? join(to, from.split('/').at(-1) ?? '') : to);
    mkdirSync(dirname(target), { recursive: true });
    if (from.endsWith('node_modules')) symlinkSync(source, target);
    else cpSync(source, target, { recursive: true });
  }
  return folder;
}

function bodyOf(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ port, host: '127.0.0.1', agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve(text));
    });
    request.on('error', reject);
  });
}

function startBackend(owner: Owner, name: string, port: number): void {
  const env = { PATH: process.env['PATH'], NAME: name, PORT: String(port) };
  const child = spawn(process.execPath, [join(DEPLOY, 'compose/backend.mjs')], { env, stdio: 'ignore' });
  if (child.pid !== undefined) killAtExit(child.pid);
  owner.after(() => void child.kill('SIGKILL'));
}

describe('the image', TIME_LIMIT, () => {
  it('is made of what is there, all of which its .dockerignore lets through', () => {
    const allowed = (textOf('Dockerfile.dockerignore').match(/^!.*$/gm) ?? []).map((line) => line.slice(1));
    const sources = copies('build').flatMap((words) => words.slice(0, -1));
    assert.ok(sources.length > 5);
    for (const source of sources) assert.ok(existsSync(join(ROOT, source)) && allowed.includes(source), source);
  });

  it('can be built from what is copied, and from nothing else', async (t) => {
    const folder = join(await scratchDirectory(t), 'build');
    for (const words of copies('build')) {
      const to = words.at(-1) ?? '';
      for (const source of words.slice(0, -1)) {
        cpSync(join(ROOT, source), join(folder, to === './' ? source : to), { recursive: true });
      }
    }
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    // The addon, which takes longest, is compiled by every installation; what TypeScript is made into is what may lack a file.
    mkdirSync(join(folder, 'build/Release'), { recursive: true });
    cpSync(join(ROOT, 'build/Release/edgeproxy.node'), join(folder, 'build/Release/edgeproxy.node'));
    execFileSync('npm', ['run', 'build:ts', '--silent'], { cwd: folder, stdio: 'pipe' });
    for (const [from = ''] of copies('image').filter(([from]) => from?.startsWith('/build/') === true)) {
      assert.ok(existsSync(join(folder, from.replace(/^\/build\//, ''))), from);
    }
    assert.ok(existsSync(join(folder, 'dist/page/index.html')));
  });

  it('holds all that the proxy needs, and runs it as a user without rights', async (t) => {
    const folder = await assemble(t);
    const entry = /^ENTRYPOINT \["\S+", "\/opt\/edgeproxy\/(\S+)"\]$/m.exec(textOf('Dockerfile'))?.[1] ?? '';
    const uid = process.getuid?.() === 0 ? { uid: NOBODY } : {};
    if ('uid' in uid) execFileSync('chmod', ['-R', 'a+rX', dirname(folder)]);
    const proxy = await startProxy(t, { main: join(folder, entry), workers: 1, ...uid });
    assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
  });

  it('is not run by root', () => {
    const [, last = ''] = textOf('Dockerfile').split(/^FROM .*slim$/m);
    assert.match(last, /^USER node$/m);
  });
});

describe('the three POPs', TIME_LIMIT, () => {
  it('refer to files that are there, and to ports of their own', () => {
    const text = textOf('compose.yaml');
    const mounts = [...text.matchAll(/'(\.\/[^:']+):[^']*:ro'/g)].map(([, path = '']) => path);
    assert.equal(mounts.length, 3);
    for (const path of mounts) assert.ok(existsSync(join(DEPLOY, path)), path);
    assert.ok(existsSync(join(DEPLOY, '..', /dockerfile: ([^\s,}]+)/.exec(text)?.[1] ?? '-')));
    const ports = [...text.matchAll(/'127\.0\.0\.1:(\d+):8080'/g)].map(([, port]) => port);
    assert.equal(new Set(ports).size, REGIONS.length);
    const addresses = [...text.matchAll(/ipv4_address: (\S+)/g)].map(([, address]) => address).sort();
    const routed = [...textOf('compose/routes.sh').matchAll(/--ip (\S+)/g)].map(([, address]) => address).sort();
    assert.deepEqual(addresses, routed);
  });

  it('send their clients to the backend of their region, by the routes and the configuration that they have', async (t) => {
    const directory = await scratchDirectory(t);
    const databasePath = join(directory, 'routing.db');
    let script = textOf('compose/routes.sh').replaceAll('10.89.0.', '127.89.0.');
    for (const region of REGIONS) {
      const port = await freePort(t);
      startBackend(t, `${region}-1`, port);
      script = script.replace(/--port 8080$/m, `--port ${port} `);
    }
    const env = {
      PATH: process.env['PATH'],
      EDGEPROXY_MAIN: join(ROOT, 'dist/cli/main.js'),
      EDGEPROXY_DB_PATH: databasePath,
    };
    // A second time changes nothing.
    for (let times = 0; times < 2; times++) execFileSync('sh', ['-c', script], { env });
    for (const region of REGIONS) {
      const proxy = await startProxy(t, {
        databasePath,
        args: ['--config', join(DEPLOY, 'compose/edgeproxy.toml')],
        env: { EDGEPROXY_REGION: region },
      });
      await eventually(`${region} answers for itself`, async () => {
        return (await bodyOf(proxy.port).catch(() => '')) === `${region}-1\n`;
      });
    }
  });
});
