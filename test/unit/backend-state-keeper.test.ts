import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { BackendStateKeeper, type BackendStateConfig } from '../../src/cluster/backend-state-keeper.js';
import { BackendStates } from '../../src/domain/shared/backend-states.js';
import { BACKEND_ERRORS, BREAKER_STATE, WORKER_ROW } from '../../src/domain/shared/layout.js';
import { failBackend, openBreaker } from '../support/breaker-rig.js';
import { backend, newRegion } from '../support/routing-rig.js';

const NO_POOL = { pool: 0, isInline: false };

const CONFIG: BackendStateConfig = {
  isCircuitBreakerEnabled: true,
  circuitFailureThreshold: 2,
  circuitSuccessThreshold: 1,
  circuitTimeoutSecs: 0.2,
  circuitTrials: 4,
  circuitMaxEjectedPercent: 50,
  panicThresholdPercent: 10,
  slowStartSecs: 0,
};

function rigOf(t: TestContext, backends: number) {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { region } = newRegion();
  const lines: { readonly level: string; readonly context: object; readonly message: string }[] = [];
  const log = (level: string) => (context: object, message: string) => void lines.push({ level, context, message });
  const logger = {
    trace: log('trace'),
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
  };
  const keeper = new BackendStateKeeper({ region, logger });
  t.after(() => keeper.stop());
  keeper.configure(CONFIG);
  keeper.useBackends(
    Array.from({ length: backends }, (_, slot) => ({ ...NO_POOL, slot, backend: backend(`b${slot}`) })),
  );
  keeper.start();
  return { region, keeper, lines, states: new BackendStates(region), tick: () => t.mock.timers.tick(100) };
}

describe('backend state keeper', () => {
  it('lets as many backends be ejected as their share says, rounded down, and always one', (t) => {
    for (const [backends, most] of [
      [0, 1],
      [1, 1],
      [5, 2],
      [6, 3],
    ] as const) {
      assert.equal(rigOf(t, backends).states.maxEjected, most);
      t.mock.timers.reset();
    }
  });

  it('says which backend is ejected, and why', (t) => {
    const { region, lines, tick } = rigOf(t, 5);
    region.words[region.rowAt(0, 3) + WORKER_ROW.ERRORS + BACKEND_ERRORS.indexOf('reset')] = 4;
    region.words[region.rowAt(2, 3) + WORKER_ROW.ERRORS + BACKEND_ERRORS.indexOf('reset')] = 3;
    openBreaker(region, 3);
    tick();
    assert.deepEqual(lines, [
      {
        level: 'warn',
        context: { backend: 'b3', ejected: 1, maxEjected: 2, errors: { reset: 7 } },
        message: 'breaker open: the backend gets no new clients',
      },
    ]);
  });

  it('closes every breaker when a reload switches them off, and lets none open from then on', (t) => {
    const { region, keeper, states, tick } = rigOf(t, 5);
    openBreaker(region, 1);
    tick();
    keeper.configure({ ...CONFIG, isCircuitBreakerEnabled: false });
    tick();
    assert.deepEqual([states.breaker(1), states.ejected], [BREAKER_STATE.CLOSED, 0]);
    for (let failure = 0; failure < 9; failure++) failBackend(region, 1);
    assert.equal(states.breaker(1), BREAKER_STATE.CLOSED);
  });

  it('forgets what it knew of a backend that is removed', (t) => {
    const { region, keeper, states } = rigOf(t, 5);
    openBreaker(region, 4);
    keeper.useBackends([{ ...NO_POOL, slot: 0, backend: backend('b0') }]);
    assert.deepEqual([states.breaker(4), states.ejected], [BREAKER_STATE.CLOSED, 0]);
  });

  it('finds within a second what no generation tells of', (t) => {
    const { region, states, lines, tick } = rigOf(t, 5);
    for (let turn = 0; turn < 5; turn++) tick();
    const { generation } = states;
    openBreaker(region, 2);
    region.words[region.offsets.healthControl] = generation;
    region.words[region.offsets.healthControl + 1] = 0;
    for (let turn = 0; turn < 10; turn++) tick();
    assert.equal(lines.length, 1);
    assert.notEqual(states.generation, generation);
  });

  it('says when a panic begins and when it ends, once each', (t) => {
    const { keeper, states, lines, tick } = rigOf(t, 4);
    keeper.configure({ ...CONFIG, panicThresholdPercent: 50 });
    const bySlots = (slots: readonly number[], isUp: boolean): void => {
      for (const slot of slots) states.setHealth(slot, isUp);
      for (let turn = 0; turn < 20; turn++) tick();
    };
    bySlots([0, 1], false);
    assert.equal(lines.length, 0, 'half of them is not too few');
    bySlots([2], false);
    bySlots([3], false);
    assert.deepEqual(
      lines.map(({ level, context, message }) => [level, context, message.split(':')[0]]),
      [['warn', { available: 1, candidates: 4, thresholdPercent: 50 }, 'panic']],
    );
    bySlots([0, 1], true);
    assert.deepEqual(
      lines.slice(1).map(({ level, context, message }) => [level, context, message.split(':')[0]]),
      [['warn', { available: 2, candidates: 4, thresholdPercent: 50 }, 'panic is over']],
    );
  });

  it('does nothing after it was stopped', (t) => {
    const { region, keeper, lines, tick } = rigOf(t, 5);
    keeper.stop();
    openBreaker(region, 2);
    tick();
    assert.deepEqual(lines, []);
  });
});
