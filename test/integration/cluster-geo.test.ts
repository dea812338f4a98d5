/**
 * The main job, end to end: clients with addresses from several countries reach the best backend. Such addresses exist
 * in a network namespace of their own, which any user may make where the kernel allows it; the tests themselves are in
 * test/fixtures/geo-suite.ts.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const SUITE = fileURLToPath(new URL('../fixtures/geo-suite.ts', import.meta.url));
const TIME_LIMIT = { timeout: 300_000 };
/** Addresses of the clients in the test databases and the embedded one, and of the proxy. */
const ADDRESSES = [
  ...['2.125.160.216', '89.160.20.112', '216.160.83.56', '111.235.160.1', '10.1.1.1', '8.8.8.8', '212.58.244.20'],
  ...['2001:218::1', '2001:200::1', '198.51.100.1', '2001:db8::1'],
];
const NAMESPACE = ['unshare', '--user', '--map-root-user', '--net'];

function addressCommand(address: string): string {
  return address.includes(':') ? `ip addr add ${address}/128 dev lo nodad` : `ip addr add ${address}/32 dev lo`;
}

function canMakeNamespace(): boolean {
  return spawnSync(NAMESPACE[0] ?? '', [...NAMESPACE.slice(1), 'ip', 'link', 'set', 'lo', 'up']).status === 0;
}

describe('geo routing end to end', TIME_LIMIT, () => {
  it('sends clients from several countries to the best backend', async (t) => {
    if (!canMakeNamespace()) {
      t.skip('this system lets nobody make a network namespace');
      return;
    }
    const setUp = ['ip link set lo up', ...ADDRESSES.map(addressCommand)].join(' && ');
    const suite = `exec "${process.execPath}" --import tsx --test-reporter=spec "${SUITE}"`;
    // A test runner inside a test runner must not think that it reports to the outer one.
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
    const [command, ...args] = [...NAMESPACE, 'sh', '-c', `${setUp} && ${suite}`];
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => child.kill('SIGKILL'));
    let output = '';
    child.stdout.on('data', (chunk) => (output += String(chunk)));
    const [code] = (await once(child, 'close')) as [number | null];
    assert.equal(code, 0, output);
    const passed = Number(/^ℹ pass (\d+)$/m.exec(output)?.[1]);
    assert.ok(passed > 0, `no test ran:\n${output}`);
    t.diagnostic(`${passed} tests passed in the namespace`);
  });
});
