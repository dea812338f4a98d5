import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Backend } from '../../src/domain/backend.js';
import { hashRouter } from '../../src/domain/routing/routers/hash.js';
import { regionTable } from '../../src/domain/regions.js';
import { BindingTable } from '../../src/domain/shared/binding-table.js';
import { RoutesReader } from '../../src/domain/shared/routes-reader.js';
import { RoutesWriter } from '../../src/domain/shared/routes-writer.js';
import { BACKEND } from '../../src/domain/shared/layout.js';
import { fc } from '../support/fast-check.js';
import { RouterRig } from '../support/router-rig.js';
import { backend, newRegion } from '../support/routing-rig.js';

const CLIENTS = 3000;

/** Clients' backends by id. */
function chosenIds(backends: readonly Backend[], config: Readonly<Record<string, unknown>> = {}): string[] {
  const rig = new RouterRig(hashRouter, config);
  rig.publish(backends);
  return Array.from({ length: CLIENTS }, (_, host) => backends[rig.choose({ host })]?.id ?? 'none');
}

function countOf(ids: readonly string[], id: string): number {
  return ids.filter((it) => it === id).length;
}

function assertNear(count: number, share: number): void {
  // Six standard deviations: one run in some thousand million would be beyond.
  const bound = 6 * Math.sqrt(CLIENTS * share * (1 - share));
  assert.ok(Math.abs(count - CLIENTS * share) < bound, `${count} of ${CLIENTS}, expected ${CLIENTS * share}`);
}

const weightLists = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 2, maxLength: 12 });

function listed(weights: readonly number[]): Backend[] {
  return weights.map((weight, position) => backend(`web-${position}`, { weight }));
}

describe('hash', () => {
  it('goes by the key of a backend that has taken the slot of another one since the last batch', () => {
    const kept = backend('kept');
    const idle = new RouterRig(hashRouter);
    idle.publish([kept, backend('gone')]);
    idle.choose();
    idle.republish([kept]);
    const now = [kept, backend('come')];
    idle.republish(now);
    idle.refresh();
    assert.equal(idle.slotOf(1), 1, 'the slot of the other one');
    const fresh = chosenIds(now);
    for (const [host, id] of fresh.entries()) assert.equal(now[idle.choose({ host })]?.id, id);
  });

  it('gives every backend its share of the clients, by weight', () => {
    fc.assert(
      fc.property(weightLists, fc.string(), (weights, seed) => {
        const ids = chosenIds(listed(weights), { seed });
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (const [position, weight] of weights.entries()) assertNear(countOf(ids, `web-${position}`), weight / total);
      }),
      { numRuns: 20 },
    );
  });

  it('moves only the clients of a backend that goes, and only to a backend that comes, its share of them', () => {
    fc.assert(
      fc.property(weightLists, fc.nat(11), (weights, which) => {
        const all = listed(weights);
        const changed = which % all.length;
        const id = `web-${changed}`;
        const before = chosenIds(all);
        const after = chosenIds(all.filter((it) => it.id !== id));
        for (const [host, was] of before.entries()) {
          if (was === id) assert.notEqual(after[host], id);
          else assert.equal(after[host], was, `client ${host} need not have moved`);
        }
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        assertNear(countOf(before, id), (weights[changed] ?? 0) / total);
      }),
      { numRuns: 20 },
    );
  });

  it('lets a rising weight only take clients', () => {
    const before = chosenIds(listed([2, 2, 2]));
    const after = chosenIds(listed([2, 3, 2]));
    for (const [host, id] of after.entries()) if (id !== 'web-1') assert.equal(before[host], id);
    assertNear(countOf(after, 'web-1'), 3 / 7);
  });

  it('chooses the same in whatever order and slots the backends are: in other workers, after a restart, at another POP', () => {
    const all = listed([1, 2, 3, 1]);
    const rig = new RouterRig(hashRouter, {}, { workers: 2 });
    rig.publish(listed([1, 1, 1, 1, 1, 1]));
    const others = [...all].reverse().map((it) => ({ ...it, region: 'eu' }));
    rig.publish(others);
    const ids = Array.from({ length: CLIENTS }, (_, host) => others[rig.choose({ host }, host % 2)]?.id ?? 'none');
    assert.deepEqual(ids, chosenIds(all));
  });

  it('has answers that no later version may change: clients would lose their backends with it', () => {
    const rig = new RouterRig(hashRouter);
    rig.publish(listed([1, 1, 1, 1]));
    const answers = Array.from({ length: 16 }, (_, host) => rig.choose({ host })).join('');
    assert.equal(answers, '2321101011123030');
  });

  it('knows a backend of a rule by its own id: another rule with the same ones chooses the same', () => {
    const { region } = newRegion();
    const inline = ['one/web/1', 'other/web/1', 'other/web/2'].map((id) => ({ backend: backend(id), pool: 1 }));
    const writer = new RoutesWriter(region, new BindingTable(region));
    writer.publish([backend('web/1')], regionTable(), 'sa', { inline, apps: new Map() });
    const reader = new RoutesReader(region, 0);
    reader.enter();
    const { table } = reader;
    const keyOf = (route: number): string => `${table.keyHigh[route] ?? ''} ${table.keyLow[route] ?? ''}`;
    const from = table.poolFrom(1);
    assert.equal(table.poolTo(1) - from, 3);
    assert.equal(keyOf(from), keyOf(from + 1));
    assert.notEqual(keyOf(from), keyOf(from + 2));
    assert.equal(keyOf(from), keyOf(table.regionFrom(0)), 'and with that of the routing database');
  });

  it('chooses otherwise with another seed', () => {
    const all = listed([1, 1, 1, 1]);
    const [one, other] = [chosenIds(all, { seed: 'one' }), chosenIds(all, { seed: 'other' })];
    assertNear(one.filter((id, host) => id === other[host]).length, 1 / 4);
  });

  it('gives a client whose backend is full or was tried the next in its own order, and the others keep theirs', () => {
    const all = listed([1, 1, 1, 1]).map((it) => ({ ...it, hardLimit: 10 }));
    const rig = new RouterRig(hashRouter);
    rig.publish(all);
    const before = Array.from({ length: CLIENTS }, (_, host) => rig.choose({ host }));
    rig.setWord(2, BACKEND.ACTIVE, 10);
    const after = Array.from({ length: CLIENTS }, (_, host) => rig.choose({ host }));
    const moved = before.flatMap((was, host) => (was === after[host] ? [] : [host]));
    assert.ok(moved.every((host) => before[host] === 2));
    for (const position of [0, 1, 3]) {
      const took = moved.filter((host) => after[host] === position).length;
      assert.ok(took > moved.length / 6, `${took} of ${moved.length} went to ${position}`);
    }
  });
});

describe('hash by hash_key', () => {
  /** Whether clients that differ in this alone have one backend all together. */
  const isOne = (config: Readonly<Record<string, unknown>>, client: (n: number) => object): boolean => {
    const rig = new RouterRig(hashRouter, config);
    rig.publish(listed([1, 1, 1, 1, 1, 1, 1, 1]));
    return new Set(Array.from({ length: 40 }, (_, n) => rig.choose(client(n)))).size === 1;
  };

  const byKey: Readonly<Record<string, (n: number) => object>> = {
    client_ip: (n) => ({ host: n }),
    client_port: (n) => ({ port: 2000 + n }),
    target_port: (n) => ({ targetPort: 8000 + n }),
    sni: (n) => ({ name: `host${n}.example` }),
    session_id: (n) => ({ session: n + 1 }),
  };

  for (const key of Object.keys(byKey)) {
    it(`${key}: goes by that and by nothing else`, () => {
      const fixed = { host: 1, port: 1024, targetPort: 80, name: 'www.example', session: 7 };
      for (const [what, client] of Object.entries(byKey)) {
        assert.equal(
          isOne({ hash_key: key }, (n) => ({ ...fixed, ...client(n) })),
          what !== key,
          what,
        );
      }
    });
  }

  it('goes by the address where a client has no name or no session', () => {
    for (const hash_key of ['sni', 'session_id']) {
      assert.equal(
        isOne({ hash_key }, (n) => ({ host: n })),
        false,
      );
      assert.equal(
        isOne({ hash_key }, (n) => ({ host: 1, port: n })),
        true,
      );
    }
  });

  it('takes the addresses of one IPv6 network of 64 bits for one client', () => {
    const at = (w1: number, w3: number): object => ({ address: [0x20010db8, w1, 0, w3] as const });
    assert.equal(
      isOne({}, (n) => at(5, n)),
      true,
    );
    assert.equal(
      isOne({}, (n) => at(n, 5)),
      false,
    );
  });

  it('refuses other keys and numbers, all at once', () => {
    const parsed = hashRouter.parse({ hash_key: 'cookie', load_factor: 0.5, seed: 5 });
    assert.deepEqual(parsed, {
      isValid: false,
      problems: [
        { key: 'hash_key', expected: 'expected one of client_ip, client_port, target_port, sni, session_id' },
        { key: 'load_factor', expected: 'expected a number from 1 to 100, or 0 for none' },
        { key: 'seed', expected: 'expected text' },
      ],
    });
  });
});

describe('hash with load_factor', () => {
  it('gives no backend more than its share times the factor, rounded up, at any moment', () => {
    const factors = fc.constantFrom(1, 1.1, 1.25, 2);
    fc.assert(
      fc.property(weightLists, factors, fc.array(fc.nat(5), { maxLength: 200 }), (weights, loadFactor, hosts) => {
        const rig = new RouterRig(hashRouter, { load_factor: loadFactor });
        rig.publish(listed(weights));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (const [clients, host] of hosts.entries()) {
          const position = rig.take({ host });
          const bound = Math.ceil((loadFactor * (clients + 1) * (weights[position] ?? 0)) / total - 1e-9);
          assert.ok(rig.activeOf(position) <= bound, `${rig.activeOf(position)} of ${bound} at ${position}`);
        }
      }),
    );
  });

  it('leaves a client at its backend while that is below its bound', () => {
    const bounded = new RouterRig(hashRouter, { load_factor: 1.25 });
    const plain = new RouterRig(hashRouter);
    for (const rig of [bounded, plain]) rig.publish(listed([1, 1, 1]));
    for (const position of [0, 1, 2]) bounded.setWord(position, BACKEND.ACTIVE, 1000);
    for (let host = 0; host < 500; host++) assert.equal(bounded.choose({ host }), plain.choose({ host }));
    bounded.setWord(1, BACKEND.ACTIVE, 2000);
    for (let host = 0; host < 500; host++) {
      const own = plain.choose({ host });
      if (own === 1) assert.notEqual(bounded.choose({ host }), 1);
      else assert.equal(bounded.choose({ host }), own);
    }
  });

  it('goes beyond the bound rather than nowhere', () => {
    const rig = new RouterRig(hashRouter, { load_factor: 1 });
    rig.publish([backend('a', { hardLimit: 1 }), backend('b')]);
    const chosen = Array.from({ length: 6 }, (_, host) => rig.take({ host }));
    assert.equal(chosen.filter((it) => it === 0).length, 1);
    assert.equal(chosen.filter((it) => it === 1).length, 5);
  });
});
