/**
 * The breaker over several workers, with outcomes in any order: connections that succeed, fail, are lost with their worker
 * or with their client, and a clock that runs in between.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BackendStates } from '../../src/domain/shared/backend-states.js';
import { BreakerClock } from '../../src/domain/shared/breaker-clock.js';
import { BREAKER_STATE } from '../../src/domain/shared/layout.js';
import { Reservations } from '../../src/domain/shared/reservations.js';
import { failBackend, succeedTrial } from '../support/breaker-rig.js';
import { fc } from '../support/fast-check.js';
import { backend, newRegion, RoutingRig } from '../support/routing-rig.js';

const WORKERS = 3;
const BACKENDS = 6;
const TIMEOUT_MS = 1000;
const STEP_MS = 100;

interface Connection {
  readonly worker: number;
  readonly slot: number;
  readonly isTrial: boolean;
}

type Step =
  | { readonly kind: 'ask'; readonly worker: number; readonly clients: number }
  | { readonly kind: 'break'; readonly slot: number }
  | { readonly kind: 'succeed' | 'fail' | 'lose'; readonly which: number }
  | { readonly kind: 'die'; readonly worker: number }
  | { readonly kind: 'tick'; readonly times: number };

interface Limits {
  readonly failures: number;
  readonly successes: number;
  readonly trials: number;
  readonly maxEjected: number;
}

const worker = fc.nat(WORKERS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.record({ kind: fc.constant('ask' as const), worker, clients: fc.integer({ min: 1, max: 12 }) }),
    weight: 8,
  },
  { arbitrary: fc.record({ kind: fc.constant('break' as const), slot: fc.nat(BACKENDS - 1) }), weight: 2 },
  { arbitrary: fc.record({ kind: fc.constant('fail' as const), which: fc.nat() }), weight: 4 },
  { arbitrary: fc.record({ kind: fc.constant('succeed' as const), which: fc.nat() }), weight: 2 },
  { arbitrary: fc.record({ kind: fc.constant('lose' as const), which: fc.nat() }), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant('die' as const), worker }), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant('tick' as const), times: fc.integer({ min: 1, max: 12 }) }), weight: 3 },
);
const limits: fc.Arbitrary<Limits> = fc.record({
  failures: fc.integer({ min: 1, max: 3 }),
  successes: fc.integer({ min: 1, max: 4 }),
  trials: fc.integer({ min: 1, max: 3 }),
  maxEjected: fc.integer({ min: 1, max: BACKENDS }),
});

class Model {
  readonly #limits: Limits;
  readonly region = newRegion({ workers: WORKERS }).region;
  readonly states = new BackendStates(this.region);
  readonly #rigs = Array.from({ length: WORKERS }, (_, index) => new RoutingRig(this.region, index, 0));
  readonly #places = this.#rigs.map((_, index) => new Reservations(this.region, index));
  /** Trials begun, and trials that succeeded, since the breaker became half-open or gave up on others. */
  readonly #trials = new Map<number, { begun: number; succeeded: number }>();
  readonly #clock = new BreakerClock(this.states, this.region.capacity.backends, (slot) => this.#trials.delete(slot));
  #open: Connection[] = [];
  #nowMs = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
    const { failures, successes, trials, maxEjected } = limits;
    this.#rigs[0]?.publish(Array.from({ length: BACKENDS }, (_, index) => backend(`b${index}`)));
    this.states.configure({ failureThreshold: failures, successThreshold: successes, trials, panicPercent: 0 });
    this.states.setMaxEjected(maxEjected);
    this.#clock.configure(true, TIMEOUT_MS);
  }

  run(step: Step): void {
    if (step.kind === 'ask') for (let client = 0; client < step.clients; client++) this.#ask(step.worker, client);
    else if (step.kind === 'break') this.#break(step.slot);
    else if (step.kind === 'tick') this.tick(step.times);
    else if (step.kind === 'die') this.#end('lose', (each) => each.worker === step.worker);
    else {
      const chosen = this.#open[step.which % Math.max(this.#open.length, 1)];
      this.#end(step.kind, (each) => each === chosen);
    }
    this.#check();
  }

  tick(times: number): void {
    for (let turn = 0; turn < times; turn++) {
      this.#nowMs += STEP_MS;
      this.#clock.tick(this.#nowMs, BACKENDS, () => true);
    }
  }

  /** From here on every backend is well: all must come back. */
  heal(): void {
    this.#end('succeed', () => true);
    for (let round = 0; round < 60 && this.states.ejected > 0; round++) {
      for (let client = 0; client < 4 * BACKENDS; client++) this.#ask(client % WORKERS, client);
      this.#end('succeed', () => true);
      this.tick(6);
    }
    for (let slot = 0; slot < BACKENDS; slot++) assert.equal(this.states.breaker(slot), BREAKER_STATE.CLOSED);
    assert.equal(this.states.ejected, 0);
  }

  /** As many failures in a row as it takes. */
  #break(slot: number): void {
    for (let failure = 0; failure < this.#limits.failures; failure++) failBackend(this.region, slot);
  }

  #ask(index: number, client: number): void {
    const rig = this.#rigs[index];
    if (rig === undefined) throw new Error(`no worker ${index}`);
    const { slot } = rig.ask(client);
    if (slot < 0) return;
    const connection = { worker: index, slot, isTrial: rig.isTrial() };
    const state = this.states.breaker(slot);
    assert.equal(state, connection.isTrial ? BREAKER_STATE.HALF_OPEN : BREAKER_STATE.CLOSED);
    this.#open.push(connection);
    if (connection.isTrial) this.#trialsOf(slot).begun++;
  }

  #end(how: 'succeed' | 'fail' | 'lose', which: (connection: Connection) => boolean): void {
    const ended = this.#open.filter(which);
    this.#open = this.#open.filter((each) => !ended.includes(each));
    for (const connection of ended) {
      const { worker, slot, isTrial } = connection;
      this.#places[worker]?.release(slot);
      if (how === 'fail') failBackend(this.region, slot, isTrial);
      if (how !== 'succeed' || !isTrial) continue;
      // Also one of before, decided late: it lets another one begin as well.
      if (this.states.breaker(slot) === BREAKER_STATE.HALF_OPEN) this.#trialsOf(slot).succeeded++;
      succeedTrial(this.region, slot);
    }
  }

  #trialsOf(slot: number): { begun: number; succeeded: number } {
    const trials = this.#trials.get(slot) ?? { begun: 0, succeeded: 0 };
    this.#trials.set(slot, trials);
    return trials;
  }

  #check(): void {
    for (const { begun, succeeded } of this.#trials.values()) {
      assert.ok(begun <= this.#limits.trials + succeeded, `${begun} trials begun, ${succeeded} of them succeeded`);
    }
    assert.ok(this.states.ejected <= this.#limits.maxEjected, `${this.states.ejected} ejected`);
    let ejected = 0;
    for (let slot = 0; slot < BACKENDS; slot++) if (this.states.breaker(slot) !== BREAKER_STATE.CLOSED) ejected++;
    assert.equal(ejected, this.states.ejected);
  }
}

describe('breaker model', () => {
  it('never has more trials under way than allowed, never more backends ejected, and always comes back', () => {
    fc.assert(
      fc.property(limits, fc.array(step, { minLength: 60, maxLength: 250, size: 'max' }), (some, steps) => {
        const model = new Model(some);
        for (const each of steps) model.run(each);
        model.heal();
      }),
      { numRuns: 100 },
    );
  });
});
