/** EDGEPROXY_PIN: which CPUs the kernel lets workers run on. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseCpuList } from '../../src/domain/cpu-list.js';
import { eventually } from '../support/eventually.js';
import { program } from '../support/program.js';
import { spawnProxy, startProxy } from '../support/proxy-process.js';

const TIME_LIMIT = { timeout: 90_000 };
const OWN = cpusOf('self');
const WORKERS = 2;

function cpusOf(pid: number | 'self'): readonly number[] {
  const list = /^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
  return parseCpuList(list) ?? [];
}

function expected(cpus: readonly number[]): readonly (readonly (number | undefined)[])[] {
  return Array.from({ length: WORKERS }, (_, index) => [cpus[index % cpus.length]]);
}

describe('workers', TIME_LIMIT, () => {
  it('run anywhere unless they are pinned', async (t) => {
    const proxy = await startProxy(t, { workers: 1 });
    assert.deepEqual(cpusOf(proxy.workerPids[0] ?? 0), OWN);
  });

  it('have one CPU each of those that there are, a successor the same one, and the primary all', async (t) => {
    const proxy = await startProxy(t, { workers: WORKERS, env: { EDGEPROXY_PIN: 'auto' } });
    assert.deepEqual(proxy.workerPids.map(cpusOf), expected(OWN));
    assert.deepEqual(cpusOf(proxy.pid), OWN);
    const [, killed = 0] = proxy.workerPids;
    process.kill(killed, 'SIGKILL');
    await eventually('the worker has a successor', () => proxy.workerPids[1] !== killed);
    assert.deepEqual(proxy.workerPids.map(cpusOf), expected(OWN));
  });

  it('share the CPUs of a list', async (t) => {
    const last = OWN.slice(-1);
    const proxy = await startProxy(t, { workers: WORKERS, args: ['--pin', String(last)] });
    assert.deepEqual(proxy.workerPids.map(cpusOf), expected(last));
  });

  it('have only CPUs that the process may use: another one ends the start', async (t) => {
    const [allowed = 0] = OWN;
    const other = OWN[1] ?? 9000;
    const prefix = [program('taskset', 'util-linux'), '--cpu-list', String(allowed)];
    const proxy = await spawnProxy(t, { prefix, env: { EDGEPROXY_PIN: `${allowed},${other}` } });
    assert.deepEqual(await proxy.exit, { code: 2, signal: null });
    const line = proxy.log.lines.find(({ code }) => code === 'EP_PIN');
    assert.match(String(line?.['msg']), new RegExp(`CPU ${other}: this process may run on ${allowed} `));
  });
});
