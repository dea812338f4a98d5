/** The breaker with real processes: who gets to a backend that fails, when, how many, and what brings it back. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BackendStates } from '../../src/domain/shared/backend-states.js';
import { BREAKER_STATE } from '../../src/domain/shared/layout.js';
import { startConfigured, type Tables } from '../support/config-file.js';
import { eventually } from '../support/eventually.js';
import { MoodyBackend } from '../support/moody-backend.js';
import { pause, resume } from '../support/paused-process.js';
import { startProxy } from '../support/proxy-process.js';
import type { ProxyProcess } from '../support/proxy-process.js';
import { reload } from '../support/routing-edits.js';
import type { Owner } from '../support/scratch-directory.js';
import { countOf, visit, visitInTurn, visitTogether } from '../support/visit.js';

const TIME_LIMIT = { timeout: 300_000 };
const WORKERS = 3;
const TRIALS = 3;
const BURST = 150;

interface Scene {
  readonly proxy: ProxyProcess;
  readonly backends: readonly MoodyBackend[];
  readonly states: BackendStates;
  readonly slots: readonly number[];
}

/** Backends whose names tell their place, all with the same conduct, behind a proxy with a breaker. */
async function sceneOf(
  owner: Owner,
  moods: readonly ('answer' | 'reset')[],
  env: Record<string, string>,
): Promise<Scene> {
  const backends = await Promise.all(moods.map((mood, index) => MoodyBackend.start(owner, `backend ${index}`, mood)));
  const proxy = await startProxy(owner, {
    workers: WORKERS,
    backends: backends.map(({ port }) => ({ port })),
    env: {
      EDGEPROXY_BINDING_TTL_SECS: '0',
      EDGEPROXY_CIRCUIT_BREAKER_ENABLED: 'on',
      EDGEPROXY_CIRCUIT_FAILURE_THRESHOLD: '3',
      EDGEPROXY_CIRCUIT_SUCCESS_THRESHOLD: String(TRIALS),
      EDGEPROXY_CIRCUIT_TRIALS: String(TRIALS),
      EDGEPROXY_PANIC_THRESHOLD_PERCENT: '0',
      ...env,
    },
  });
  const states = new BackendStates(proxy.counters.region);
  return { proxy, backends, states, slots: backends.map(({ port }) => proxy.counters.slotOf(port)) };
}

/** Sends clients until the breaker of a backend that fails is open. */
async function untilOpen(owner: Owner, { proxy, states, slots }: Scene, index: number): Promise<void> {
  await eventually('the breaker opens', async () => {
    await visit(owner, proxy);
    return states.breaker(slots[index] ?? -1) !== BREAKER_STATE.CLOSED;
  });
}

function logged({ proxy }: Scene, index: number, words: RegExp): Promise<unknown> {
  return proxy.waitForLog(({ backend, msg }) => backend === `b${index}` && words.test(String(msg)));
}

function backend(scene: Scene, index: number): MoodyBackend {
  const found = scene.backends[index];
  assert.ok(found);
  return found;
}

describe('circuit breaker', TIME_LIMIT, () => {
  it('ejects a backend that resets before its first byte, and lets nobody through', async (t) => {
    const scene = await sceneOf(t, ['reset', 'answer'], { EDGEPROXY_CIRCUIT_TIMEOUT_SECS: '600' });
    const { proxy } = scene;
    const bad = backend(scene, 0);
    await untilOpen(t, scene, 0);
    const opened = await proxy.waitForLog(({ msg }) => /^breaker open:/.test(String(msg)));
    assert.ok(Number((opened['errors'] as Record<string, number>)['reset']) >= 3, JSON.stringify(opened));

    const before = bad.visits;
    assert.equal(countOf(await visitInTurn(t, proxy, 50), 'backend 1'), 50);
    assert.equal(bad.visits, before, 'an open breaker lets nobody through');
  });

  it('tries it with so many connections, and takes it back', async (t) => {
    const scene = await sceneOf(t, ['reset', 'answer'], { EDGEPROXY_CIRCUIT_TIMEOUT_SECS: '6' });
    const { proxy } = scene;
    const bad = backend(scene, 0);
    await untilOpen(t, scene, 0);
    const before = bad.visits;
    bad.mood = 'hold';
    await logged(scene, 0, /half-open/);
    const clients = visitTogether(t, proxy, BURST);
    let served = 0;
    for (const client of clients) void client.then(() => served++);
    await eventually('all but the trials are served', () => served === BURST - TRIALS, { state: () => served });
    assert.equal(bad.visits, before + TRIALS);

    bad.answerHeld();
    await logged(scene, 0, /breaker closed/);
    const answers = await Promise.all(clients);
    assert.deepEqual([countOf(answers, 'backend 0'), countOf(answers, 'backend 1')], [TRIALS, BURST - TRIALS]);
    const after = await visitInTurn(t, proxy, 60);
    assert.ok(countOf(after, 'backend 0') >= 10, 'a closed breaker lets everybody through');
    assert.equal(scene.states.ejected, 0);
  });

  it('has slow start under way when it closes, before the primary has looked', async (t) => {
    const scene = await sceneOf(t, ['reset', 'answer'], {
      EDGEPROXY_CIRCUIT_TIMEOUT_SECS: '2',
      EDGEPROXY_SLOW_START_SECS: '600',
      // With the other way of accepting a primary that stands still accepts nobody.
      EDGEPROXY_ACCEPT: 'reuseport',
    });
    const { proxy, states } = scene;
    const bad = backend(scene, 0);
    const slot = scene.slots[0] ?? -1;
    await untilOpen(t, scene, 0);
    bad.mood = 'hold';
    await logged(scene, 0, /half-open/);
    const before = bad.visits;
    const clients = visitTogether(t, proxy, BURST);
    await eventually('every trial is under way', () => bad.visits >= before + TRIALS);
    await pause(t, proxy.pid);
    bad.answerHeld();
    await eventually('workers close it', () => states.breaker(slot) === BREAKER_STATE.CLOSED);
    assert.equal(states.ramp(slot), 50);
    await Promise.all(clients);
    const answers = await visitInTurn(t, proxy, 200);
    // 5 % of a weight against a whole one: 10 ± 3.
    assert.ok(countOf(answers, 'backend 0') < 40, `${countOf(answers, 'backend 0')} of 200`);
    resume(proxy.pid);
  });

  it('opens again after one failed trial, again and again', async (t) => {
    const scene = await sceneOf(t, ['reset', 'answer'], { EDGEPROXY_CIRCUIT_TIMEOUT_SECS: '0.3' });
    const bad = backend(scene, 0);
    await untilOpen(t, scene, 0);
    for (let round = 0; round < 3; round++) {
      const before = bad.visits;
      const isOpenAgain = scene.proxy.log.next(({ msg }) => /open again/.test(String(msg)));
      await eventually('a trial reaches the backend', async () => {
        await visit(t, scene.proxy);
        return bad.visits > before;
      });
      await isOpenAgain;
    }
    assert.equal(scene.states.ejected, 1);
    assert.notEqual(scene.states.breaker(scene.slots[0] ?? -1), BREAKER_STATE.CLOSED);
  });

  it('counts refused connects, and the client is served by another backend', async (t) => {
    const scene = await sceneOf(t, ['answer', 'answer'], { EDGEPROXY_CIRCUIT_TIMEOUT_SECS: '60' });
    await backend(scene, 0).tcp.stopListening();
    const answers: string[] = [];
    await eventually('the breaker opens', async () => {
      answers.push(await visit(t, scene.proxy));
      return scene.states.breaker(scene.slots[0] ?? -1) === BREAKER_STATE.OPEN;
    });
    assert.equal(countOf(answers, 'backend 1'), answers.length);
    assert.equal(scene.proxy.counters.backendErrors(scene.slots[0] ?? -1, 'refused'), 3);
  });

  it('ejects no more backends than it may, whoever fails', async (t) => {
    const scene = await sceneOf(t, ['reset', 'reset', 'reset', 'reset'], {
      EDGEPROXY_CIRCUIT_TIMEOUT_SECS: '60',
      EDGEPROXY_CIRCUIT_MAX_EJECTED_PERCENT: '50',
    });
    await eventually('two are ejected', async () => {
      await Promise.all(visitTogether(t, scene.proxy, 20));
      return scene.states.ejected === 2;
    });
    const before = scene.backends.map(({ visits }) => visits);
    await Promise.all(visitTogether(t, scene.proxy, 60));
    const open = scene.slots.map((slot) => scene.states.breaker(slot) === BREAKER_STATE.OPEN);
    assert.equal(open.filter(Boolean).length, 2);
    for (const [index, isOpen] of open.entries()) {
      assert.equal(backend(scene, index).visits === before[index], isOpen, `backend ${index}`);
    }
  });

  it('sends clients to all rather than to none in a panic', async (t) => {
    const scene = await sceneOf(t, ['reset', 'reset'], {
      EDGEPROXY_CIRCUIT_TIMEOUT_SECS: '60',
      EDGEPROXY_CIRCUIT_MAX_EJECTED_PERCENT: '100',
      EDGEPROXY_PANIC_THRESHOLD_PERCENT: '40',
    });
    await eventually('both are ejected', async () => {
      await visit(t, scene.proxy);
      return scene.states.ejected === 2;
    });
    for (const each of scene.backends) each.mood = 'answer';
    const answers = await visitInTurn(t, scene.proxy, 60);
    assert.equal(countOf(answers, 'backend 0') + countOf(answers, 'backend 1'), 60);
    for (const name of ['backend 0', 'backend 1']) assert.ok(countOf(answers, name) > 5, name);
  });

  it('goes on after the workers with all its trials were killed', async (t) => {
    const scene = await sceneOf(t, ['reset', 'answer'], { EDGEPROXY_CIRCUIT_TIMEOUT_SECS: '5' });
    const { proxy, states } = scene;
    const bad = backend(scene, 0);
    const slot = scene.slots[0] ?? -1;
    await untilOpen(t, scene, 0);
    bad.mood = 'hold';
    const before = bad.visits;
    await logged(scene, 0, /half-open/);
    // Many at once: a single one finds the other backend less loaded than this one with a trial.
    const clients = visitTogether(t, proxy, BURST);
    await eventually('every trial is under way', () => bad.visits >= before + TRIALS);
    const killed = proxy.workerPids;
    for (const pid of killed) process.kill(pid, 'SIGKILL');
    bad.mood = 'answer';
    await eventually('successors take clients', () => proxy.workerPids.every((pid) => !killed.includes(pid)));
    await eventually('other trials close it', async () => {
      await visit(t, proxy);
      return states.breaker(slot) === BREAKER_STATE.CLOSED;
    });
    assert.equal(states.ejected, 0);
    await Promise.all(clients);
    await eventually('its places are given back', () => proxy.counters.active(slot) === 0);
  });

  it('takes all back when a reload switches it off', async (t) => {
    const backends = [await MoodyBackend.start(t, 'bad', 'reset'), await MoodyBackend.start(t, 'good', 'answer')];
    const tables = (enabled: boolean): Tables => ({
      server: { tcp_bind: '127.0.0.1:0' },
      logging: { level: 'debug' },
      circuit_breaker: { enabled, failure_threshold: 3, timeout_secs: 600 },
    });
    const rows = backends.map(({ port }) => ({ port }));
    const { proxy, file } = await startConfigured(t, tables(true), { workers: WORKERS, backends: rows });
    const states = new BackendStates(proxy.counters.region);
    await eventually('the breaker opens', async () => {
      await visit(t, proxy);
      return states.ejected === 1;
    });
    file.write(tables(false));
    await reload(proxy, /^configuration reloaded/);
    await proxy.waitForLog(({ msg }) => /^breaker closed: it is switched off/.test(String(msg)));
    const [bad] = backends;
    assert.ok(bad);
    bad.answerHeld();
    const answers = await visitInTurn(t, proxy, 60);
    assert.ok(countOf(answers, 'bad') > 10, answers.join());
  });

  it('does nothing where it is not switched on', async (t) => {
    const scene = await sceneOf(t, ['reset', 'answer'], { EDGEPROXY_CIRCUIT_BREAKER_ENABLED: 'off' });
    await visitInTurn(t, scene.proxy, 60);
    assert.ok(backend(scene, 0).visits > 10);
    assert.equal(scene.states.ejected, 0);
  });
});
