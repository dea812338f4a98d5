/** Each case that docs/cli.md lists for an exit code is brought about, and each exit code there is one of the code's. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EXIT_CODE } from '../../src/application/exit-code.js';
import { spawnProxy, startProxy, type ProxyOptions } from '../support/proxy-process.js';
import { scratchDirectory } from '../support/scratch-directory.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const ADD = ['backend', 'add', '--id', 'sa-1', '--ip', '127.0.0.1', '--port', '80'];

const CASES: Readonly<Record<string, (test: TestContext) => Promise<number | null>>> = {
  'the proxy was told to end': async (test) => (await (await startProxy(test)).stop('SIGTERM')).code,
  'the command did its work': (test) => lastOf(test, ADD),
  'the configuration is valid': (test) => lastOf(test, ['validate']),
  'a routing database that is damaged': async (test) => {
    const databasePath = join(await scratchDirectory(test), 'routing.db');
    writeFileSync(databasePath, 'SQLite format 3, or so it says. '.repeat(1000));
    return failedStart(test, { databasePath });
  },
  'a backend that does not exist': (test) => lastOf(test, ADD, ['backend', 'drain', 'sa-2']),
  'a backend that exists already': (test) => lastOf(test, ADD, ADD),
  'a wrong flag': (test) => lastOf(test, ['validate', '--workers', '0']),
  'a wrong variable': (test) => failedStart(test, { env: { EDGEPROXY_SPLICE: 'maybe' } }),
  'a wrong configuration file': (test) => lastOf(test, ['validate', 'missing.toml']),
  'a wrong command': (test) => lastOf(test, ['strat']),
  'an address in use': async (test) => failedStart(test, { listen: await addressInUse(test) }),
  'a limit of open files that is too low': (test) => failedStart(test, { prefix: ['prlimit', '--nofile=60', '--'] }),
  'a geo database that is not there': (test) =>
    failedStart(test, { env: { EDGEPROXY_GEOIP_PATH: '/nonexistent.mmdb' } }),
};

/** Runs commands one after the other in a folder of their own; the exit code of the last one. */
async function lastOf(test: TestContext, ...commands: string[][]): Promise<number | null> {
  const cwd = await scratchDirectory(test);
  const env = { PATH: process.env['PATH'] };
  const codes = commands.map((args) => {
    return spawnSync(process.execPath, [MAIN, ...args], { cwd, env, stdio: 'ignore', timeout: 20_000 }).status;
  });
  return codes.at(-1) ?? null;
}

async function failedStart(test: TestContext, options: ProxyOptions): Promise<number | null> {
  return (await (await spawnProxy(test, options)).exit).code;
}

async function addressInUse(test: TestContext): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  test.after(() => server.close());
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** [exit code, what leads to it] from the table. */
function documented(): [code: number, cases: string[]][] {
  const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
  return [...page.matchAll(/^\| (\d) +\| [^:]+: ([^;|]+)/gm)].map(([, code = '', cases = '']) => {
    return [Number(code), cases.trim().split(', ')];
  });
}

describe('the exit codes of docs/cli.md', () => {
  const table = documented();

  it('are those of the code', () => {
    const codes = table.map(([code]) => code);
    assert.deepEqual(codes, Object.values(EXIT_CODE));
  });

  it('have no case that is not tried', () => {
    const cases = table.flatMap(([, each]) => each);
    assert.deepEqual(cases.sort(), Object.keys(CASES).sort());
  });

  for (const [code, cases] of table) {
    for (const name of cases) {
      it(`end with ${code} for ${name}`, async (test) => assert.equal(await CASES[name]?.(test), code));
    }
  }
});

describe('a start that fails without a log', () => {
  for (const level of ['silent', 'fatal']) {
    it(`says with --log-level ${level} that it failed and how to see why`, async (test) => {
      const proxy = await spawnProxy(test, { listen: await addressInUse(test), args: ['--log-level', level] });
      assert.deepEqual(await proxy.exit, { code: EXIT_CODE.USAGE, signal: null });
      assert.equal(
        proxy.stderr,
        `error: edgeproxy failed, and log level ${level} hides why; --log-level error shows it\n`,
      );
    });
  }

  it('leaves standard error to others where the log has the reason', async (test) => {
    const proxy = await spawnProxy(test, { listen: await addressInUse(test), args: ['--log-level', 'error'] });
    await proxy.exit;
    assert.equal(proxy.stderr, '');
    assert.equal(proxy.log.lines.at(-1)?.['code'], 'EP_LISTEN');
  });
});
