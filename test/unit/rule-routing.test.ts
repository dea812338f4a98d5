/** Rules in route(): which backends their clients get, and that nobody else gets those. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Backend } from '../../src/domain/backend.js';
import type { MatcherConfig } from '../../src/domain/rules/matcher-config.js';
import type { CompiledRule } from '../../src/domain/rules/rules-region.js';
import { regionTable } from '../../src/domain/regions.js';
import { BackendStates } from '../../src/domain/shared/backend-states.js';
import { MAX_TRIES, REQUEST, REQUEST_FLAG, REQUEST_WORDS } from '../../src/domain/shared/batch-layout.js';
import { POOL, WORDS_PER_LINE } from '../../src/domain/shared/layout.js';
import type { PoolMembers } from '../../src/domain/shared/pool-members.js';
import { refusal } from '../../src/domain/shared/refusal.js';
import { openBreaker } from '../support/breaker-rig.js';
import { activeOf, backend, newRegion, RoutingRig } from '../support/routing-rig.js';
import { compiledRule, RulesRig } from '../support/rules-rig.js';

const LISTENERS = [80, 81, 82].map((port, id) => ({ id, name: `l${port}`, protocol: 'tcp' as const, port }));
const NO_BACKEND = refusal('no_backend');
const CONNECT_FAILED = refusal('connect_failed');

interface RuleSpec {
  readonly matcher: MatcherConfig;
  /** Ids. */
  readonly own?: readonly string[];
  readonly app?: number;
  readonly compiled?: Partial<CompiledRule>;
  readonly changes?: Partial<Backend>;
}

const PORT_80: MatcherConfig = { type: 'port', port: 80 };
const PORT_81: MatcherConfig = { type: 'port', port: 81 };

class Rig extends RoutingRig {
  readonly states: BackendStates;
  readonly #slots = new Map<string, number>();

  constructor(ttlSecs = 0, panicPercent = 0) {
    super(newRegion().region, 0, ttlSecs);
    this.states = new BackendStates(this.region);
    this.states.setMaxEjected(99);
    this.states.configure({ failureThreshold: 5, successThreshold: 2, trials: 2, panicPercent });
  }

  /** Rule i has number and pool i + 1; one with an app that one's pool. */
  use(rows: readonly Backend[], rules: readonly RuleSpec[]): this {
    const inline = rules.flatMap(({ own = [], changes }, index) =>
      own.map((id) => ({ backend: backend(id, { softLimit: 1_000_000, ...changes }), pool: index + 1 })),
    );
    const apps = new Map(rules.flatMap(({ app }) => (app === undefined ? [] : [[`app${app}`, app] as const])));
    const pools: PoolMembers = { inline, apps };
    const { published } = this.writer.publish(rows, regionTable(), 'sa', pools);
    for (const { slot, backend: it } of published) this.#slots.set(it.id, slot);
    const matched = rules.map(({ matcher }, index) => ({ name: `r${index}`, protocol: 'both' as const, matcher }));
    const compiled = rules.map(({ app, compiled: changes }, index) => {
      const plain = compiledRule({ name: `r${index}` }, index);
      return { ...plain, pool: app ?? plain.pool, ...changes };
    });
    const { requests, names } = this;
    this.batch.useRules(new RulesRig(matched, LISTENERS, { requests, names, compiled }).table);
    return this;
  }

  slotOf(id: string): number {
    return this.#slots.get(id) ?? -1;
  }

  /** The id of the backend that a client of a listener gets, or the refusal. */
  idFor(listener: number, client = 1, tried: readonly string[] = []): string | number {
    const { slot } = this.ask(client, { listener, tried: tried.map((id) => this.slotOf(id)) });
    return [...this.#slots].find(([, at]) => at === slot)?.[0] ?? slot;
  }

  idsFor(listener: number, clients: number): (string | number)[] {
    return Array.from({ length: clients }, (_, client) => this.idFor(listener, client + 1));
  }

  line(rule: number, word: number): number {
    return this.region.words[this.region.offsets.pools + (rule + 1) * WORDS_PER_LINE + word] ?? 0;
  }
}

describe('route by rules', () => {
  it("sends a rule's clients to its own backends in turn, and everybody else to the routing database", () => {
    const rig = new Rig().use([backend('db')], [{ matcher: PORT_80, own: ['a', 'b', 'c'] }]);
    assert.deepEqual(rig.idsFor(0, 6).sort(), ['a', 'a', 'b', 'b', 'c', 'c']);
    assert.deepEqual(new Set(rig.idsFor(1, 20)), new Set(['db']));
    assert.equal(rig.idFor(40), NO_BACKEND, 'of a listener that is newer than the rules');
  });

  it("never chooses a rule's own backend for those that no rule is for, though the database has none", () => {
    const rig = new Rig(600).use([], [{ matcher: PORT_80, own: ['a'] }]);
    assert.equal(rig.idFor(0), 'a');
    assert.equal(rig.idFor(1), NO_BACKEND);
  });

  it('takes no other rule and no other pool where that of the rule is empty', () => {
    const rig = new Rig().use([backend('db')], [{ matcher: PORT_80 }, { matcher: { type: 'any' }, own: ['a'] }]);
    assert.deepEqual([rig.idFor(0), rig.idFor(1)], [NO_BACKEND, 'a']);
    assert.deepEqual([rig.line(0, POOL.SELECTED), rig.line(0, POOL.FAILED)], [0, 1]);
    assert.deepEqual([rig.line(1, POOL.SELECTED), rig.line(1, POOL.FAILED)], [1, 0]);
  });

  it('counts a client that comes anew once, wherever it goes', () => {
    const rig = new Rig().use([], [{ matcher: PORT_80, own: ['a', 'b'] }]);
    const anew = (...tried: string[]): number =>
      rig.ask(1, { tried: tried.map((id) => rig.slotOf(id)), flags: REQUEST_FLAG.ANEW }).slot;
    const counted = () => [rig.line(0, POOL.SELECTED), rig.line(0, POOL.FAILED)];
    assert.equal(anew('a'), rig.slotOf('b'));
    assert.deepEqual(counted(), [1, 0]);
    assert.ok(anew('a', 'b') >= 0, 'there is nobody else');
    assert.deepEqual(counted(), [2, 0]);
    rig.use([], [{ matcher: PORT_80 }]);
    assert.equal(anew('a'), NO_BACKEND);
    assert.deepEqual(counted(), [2, 1]);
  });

  it('gives the backends of an app to its rules and to the whole database alike', () => {
    const rows = [backend('shop', { app: 'app9' }), backend('other', { app: 'app8' })];
    const rig = new Rig().use(rows, [
      { matcher: PORT_80, app: 9 },
      { matcher: PORT_81, app: 9 },
    ]);
    assert.deepEqual(new Set([...rig.idsFor(0, 5), ...rig.idsFor(1, 5)]), new Set(['shop']));
    assert.deepEqual(new Set(rig.idsFor(2, 20)), new Set(['shop', 'other']));
  });

  it('binds a client in each pool for itself', () => {
    const affine = { plugin: 'geo', hasAffinity: true };
    const rig = new Rig(600).use(
      [backend('x', { app: 'app9' }), backend('y', { app: 'app9' })],
      [
        { matcher: PORT_80, own: ['a', 'b'], compiled: affine },
        { matcher: PORT_81, app: 9, compiled: affine },
      ],
    );
    for (let client = 1; client <= 20; client++) {
      const [first, second, third] = [rig.idFor(0, client), rig.idFor(1, client), rig.idFor(2, client)];
      assert.ok(['a', 'b'].includes(String(first)) && ['x', 'y'].includes(String(second)));
      for (let again = 0; again < 3; again++) {
        assert.deepEqual([rig.idFor(0, client), rig.idFor(1, client), rig.idFor(2, client)], [first, second, third]);
      }
    }
  });

  it('does not send a client to the backend that it is bound to once that belongs to another pool', () => {
    const affine = { plugin: 'geo', hasAffinity: true };
    const rules = (own: readonly string[], others: readonly string[]): RuleSpec[] => [
      { matcher: PORT_80, own, compiled: affine },
      { matcher: PORT_81, own: others, compiled: affine },
    ];
    const rig = new Rig(600).use([], rules(['a'], ['b']));
    assert.deepEqual([rig.idFor(0), rig.idFor(1)], ['a', 'b']);
    rig.use([], rules(['b'], ['a']));
    assert.deepEqual([rig.idFor(0), rig.idFor(1)], ['b', 'a']);
  });

  it('remembers nobody without affinity', () => {
    const rig = new Rig(600).use([], [{ matcher: PORT_80, own: ['a', 'b'] }]);
    assert.deepEqual(new Set([rig.idFor(0), rig.idFor(0)]), new Set(['a', 'b']));
  });

  it('tries another backend of the pool, each once, and counts the connection once', () => {
    const rig = new Rig().use([backend('db')], [{ matcher: PORT_80, own: ['a', 'b'] }]);
    const first = String(rig.idFor(0));
    const second = String(rig.idFor(0, 1, [first]));
    assert.deepEqual(new Set([first, second]), new Set(['a', 'b']));
    assert.equal(rig.idFor(0, 1, [first, second]), CONNECT_FAILED);
    assert.deepEqual([rig.line(0, POOL.SELECTED), rig.line(0, POOL.FAILED)], [1, 1]);
    assert.ok(['a', 'b'].includes(String(rig.idFor(0, 2))), 'open again for the next client');
  });

  it('holds the hard limits of a pool', () => {
    const rig = new Rig().use([], [{ matcher: PORT_80, own: ['a', 'b'], changes: { hardLimit: 2 } }]);
    const ids = rig.idsFor(0, 5);
    assert.deepEqual([...ids].sort(), [NO_BACKEND, 'a', 'a', 'b', 'b']);
    assert.deepEqual([activeOf(rig.region, rig.slotOf('a')), activeOf(rig.region, rig.slotOf('b'))], [2, 2]);
  });

  it('leaves out what is down, or has its breaker open, at once also in the middle of a batch', () => {
    const rig = new Rig().use([], [{ matcher: PORT_80, own: ['a', 'b', 'c'] }]);
    rig.states.setHealth(rig.slotOf('a'), false);
    assert.deepEqual(new Set(rig.idsFor(0, 6)), new Set(['b', 'c']));
    openBreaker(rig.region, rig.slotOf('b'));
    assert.deepEqual(new Set(rig.idsFor(0, 6)), new Set(['c']));
    rig.states.setHealth(rig.slotOf('a'), true);
    assert.deepEqual(new Set(rig.idsFor(0, 6)), new Set(['a', 'c']));
  });

  it('panics in each pool for itself', () => {
    const rig = new Rig(0, 50).use(
      [backend('x', { app: 'app9', softLimit: 1_000_000 }), backend('y', { softLimit: 1_000_000 })],
      [
        { matcher: PORT_80, own: ['a', 'b', 'c'] },
        { matcher: PORT_81, app: 9 },
      ],
    );
    for (const id of ['a', 'b', 'c']) rig.states.setHealth(rig.slotOf(id), false);
    assert.deepEqual(new Set(rig.idsFor(0, 9)), new Set(['a', 'b', 'c']), 'panic in the first');
    rig.states.setHealth(rig.slotOf('x'), false);
    assert.deepEqual(new Set(rig.idsFor(2, 12)), new Set(['y']), 'x is shut, for half of the database is there');
    assert.equal(rig.idFor(1), 'x', 'panic in the pool whose only backend it is');
    rig.states.setHealth(rig.slotOf('a'), true);
    rig.states.setHealth(rig.slotOf('b'), true);
    assert.deepEqual(new Set(rig.idsFor(0, 9)), new Set(['a', 'b']), 'over in the first');
  });

  it('gives what has no weight to bound clients alone, and what drains to nobody', () => {
    const rules = (changes: Partial<Backend>): RuleSpec[] => [
      { matcher: PORT_80, own: ['a'], changes, compiled: { plugin: 'geo', hasAffinity: true } },
    ];
    const rig = new Rig(600).use([], rules({}));
    assert.equal(rig.idFor(0, 1), 'a');
    rig.use([], rules({ weight: 0 }));
    assert.deepEqual([rig.idFor(0, 1), rig.idFor(0, 2)], ['a', NO_BACKEND]);
    rig.use([], rules({ isDraining: true }));
    assert.equal(rig.idFor(0, 1), NO_BACKEND);
  });

  it('routes by the database alone again when there are no rules', () => {
    const rig = new Rig().use([backend('db')], [{ matcher: { type: 'any' }, own: ['a'] }]);
    assert.equal(rig.idFor(0), 'a');
    rig.batch.useRules(null);
    assert.equal(rig.idFor(0), 'db');
  });

  it('stays in the request whatever stands there', () => {
    const rig = new Rig().use([], [{ matcher: { type: 'sni', names: ['*'], alpn: ['h2'] }, own: ['a'] }]);
    rig.requests.fill(0x7fffffff, 0, REQUEST_WORDS);
    rig.requests[REQUEST.LISTENER] = 0;
    rig.requests[REQUEST.TRIES] = MAX_TRIES;
    rig.batch.route(1);
    assert.ok(rig.answer(0).slot < 0);
  });
});
