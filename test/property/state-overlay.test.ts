/** Any states over any table, changed in any order: route() sends clients to whom a plain model would, and to nobody else. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Backend } from '../../src/domain/backend.js';
import { BackendStates } from '../../src/domain/shared/backend-states.js';
import { MAX_TRIES } from '../../src/domain/shared/batch-layout.js';
import { BREAKER_STATE } from '../../src/domain/shared/layout.js';
import { Reservations } from '../../src/domain/shared/reservations.js';
import { openBreaker } from '../support/breaker-rig.js';
import { fc } from '../support/fast-check.js';
import { backend, newRegion, RoutingRig } from '../support/routing-rig.js';

const BACKENDS = 6;
const TRIALS = 2;

const slot = fc.nat(BACKENDS - 1);
const row = fc.record({
  isHealthy: fc.oneof({ arbitrary: fc.constant(true), weight: 4 }, fc.constant(false)),
  isDraining: fc.oneof({ arbitrary: fc.constant(false), weight: 4 }, fc.constant(true)),
  weight: fc.nat(3),
  country: fc.constantFrom('', 'BR', 'US'),
});
type Row = Pick<Backend, 'isHealthy' | 'isDraining' | 'weight' | 'country'>;

type Step =
  | { readonly kind: 'ask'; readonly tried: readonly number[] }
  | { readonly kind: 'publish'; readonly rows: readonly Row[] }
  | { readonly kind: 'health'; readonly slot: number; readonly isUp: boolean }
  | { readonly kind: 'open' | 'halfOpen' | 'close' | 'rearm'; readonly slot: number }
  | { readonly kind: 'ramp'; readonly slot: number; readonly permille: number }
  | { readonly kind: 'panic'; readonly percent: number };

const rows = fc.array(row, { minLength: BACKENDS, maxLength: BACKENDS });
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.record({ kind: fc.constant('ask' as const), tried: fc.uniqueArray(slot) }), weight: 6 },
  { arbitrary: fc.record({ kind: fc.constant('publish' as const), rows }), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant('health' as const), slot, isUp: fc.boolean() }), weight: 3 },
  {
    arbitrary: fc.record({ kind: fc.constantFrom('open', 'halfOpen', 'close', 'rearm'), slot }),
    weight: 4,
  },
  { arbitrary: fc.record({ kind: fc.constant('ramp' as const), slot, permille: fc.nat(1000) }), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant('panic' as const), percent: fc.nat(100) }), weight: 1 },
);

class Model {
  readonly region = newRegion({ workers: 1 }).region;
  readonly #rig = new RoutingRig(this.region, 0, 0);
  readonly #places = new Reservations(this.region, 0);
  readonly #states = new BackendStates(this.region);
  #rows: readonly Row[] = [];
  #percent = 0;

  constructor(rows: readonly Row[]) {
    this.#states.setMaxEjected(BACKENDS);
    this.#panic(0);
    this.#publish(rows);
  }

  run(step: Step): void {
    switch (step.kind) {
      case 'ask':
        return this.#ask(step.tried);
      case 'publish':
        return this.#publish(step.rows);
      case 'health':
        this.#states.setHealth(step.slot, step.isUp);
        return;
      case 'open':
        if (this.#states.breaker(step.slot) === BREAKER_STATE.CLOSED) openBreaker(this.region, step.slot);
        return;
      case 'halfOpen':
        this.#states.halfOpen(step.slot);
        return;
      case 'close':
        this.#states.close(step.slot);
        return;
      case 'rearm':
        return this.#states.rearm(step.slot);
      case 'ramp':
        this.#states.setRamp(step.slot, step.permille);
        return;
      case 'panic':
        return this.#panic(step.percent);
    }
  }

  #panic(percent: number): void {
    this.#percent = percent;
    this.#states.configure({ failureThreshold: 1, successThreshold: 99, trials: TRIALS, panicPercent: percent });
  }

  #publish(rows: readonly Row[]): void {
    this.#rows = rows;
    this.#rig.publish(rows.map((changes, index) => backend(`b${index}`, { ...changes, softLimit: 1_000_000 })));
  }

  #ask(tried: readonly number[]): void {
    const candidates = [...this.#rows.keys()].filter((index) => this.#isCandidate(index));
    const available = candidates.filter((index) => this.#states.isAvailable(index));
    const isPanic = available.length * 100 < candidates.length * this.#percent;
    const open = candidates.filter((index) => (isPanic || this.#isOpen(index)) && !tried.includes(index));
    const isTrialNext = open.map(
      (index) => this.#states.breaker(index) === BREAKER_STATE.HALF_OPEN && this.#states.trialsLeft(index) > 0,
    );
    const { slot: chosen } = this.#rig.ask(1, { tried: tried.slice(0, MAX_TRIES) });
    const state = JSON.stringify({ chosen, open, isPanic, tried });
    assert.equal(chosen >= 0, open.length > 0, state);
    if (chosen < 0) return;
    assert.equal(open.includes(chosen), true, state);
    assert.equal(this.#rig.isTrial(), isTrialNext[open.indexOf(chosen)], state);
    this.#places.release(chosen);
  }

  #isCandidate(index: number): boolean {
    const row = this.#rows[index];
    return row !== undefined && row.isHealthy && !row.isDraining && row.weight > 0;
  }

  #isOpen(index: number): boolean {
    if (!this.#states.isUp(index)) return false;
    const state = this.#states.breaker(index);
    return state === BREAKER_STATE.CLOSED || (state === BREAKER_STATE.HALF_OPEN && this.#states.trialsLeft(index) > 0);
  }
}

describe('states over a routing table', () => {
  it('closes exactly those that take no clients, in any order of changes, and nothing in a panic', () => {
    fc.assert(
      fc.property(rows, fc.array(step, { minLength: 30, maxLength: 150, size: 'max' }), (first, steps) => {
        const model = new Model(first);
        for (const each of steps) model.run(each);
      }),
      { numRuns: 150 },
    );
  });
});
