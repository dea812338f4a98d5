import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RouteBatch } from '../../src/application/route-batch.js';
import { countryNumber } from '../../src/domain/regions.js';
import { BATCH_CAPACITY, MAX_TRIES, REQUEST, REQUEST_FLAG } from '../../src/domain/shared/batch-layout.js';
import { REJECT_REASONS } from '../../src/domain/shared/layout.js';
import { Reservations } from '../../src/domain/shared/reservations.js';
import { activeOf, backend, newRegion, NO_LIMITS, RoutingRig, shareOf } from '../support/routing-rig.js';

const NO_BACKEND = -1 - REJECT_REASONS.indexOf('no_backend');
const CONNECT_FAILED = -1 - REJECT_REASONS.indexOf('connect_failed');

/** Clients 10.0.0.<host> come from the country that `host` stands for, the others from none. */
function geo(...countries: string[]): { countryOf(w0: number, w1: number, w2: number, w3: number): number } {
  return { countryOf: (_w0, _w1, _w2, w3) => countryNumber(countries[w3 & 0xff] ?? '') };
}

describe('route: the choice', () => {
  it('answers with slot, port and address of the backend, a place reserved', () => {
    const rig = new RoutingRig(newRegion().region, 2);
    rig.publish([backend('a', { address: '192.0.2.7', port: 81 })]);
    assert.deepEqual(rig.ask(1), { slot: 0, port: 81, address: [0, 0, 0xffff, 0xc0000207 | 0] });
    assert.deepEqual([activeOf(rig.region, 0), shareOf(rig.region, 2, 0), shareOf(rig.region, 0, 0)], [1, 1, 0]);
  });

  it('sends clients to their country, else their region, else the region of this POP', () => {
    const rig = new RoutingRig();
    rig.publish([
      backend('us', { region: 'us', country: 'US', port: 1 }),
      backend('de', { region: 'eu', country: 'DE', port: 2 }),
      backend('fr', { region: 'eu', country: 'FR', port: 3 }),
      backend('br', { region: 'sa', country: 'BR', port: 4 }),
    ]);
    rig.batch.useCountries(geo('FR', 'DE', 'MX', 'AR', 'JP', ''));
    const ports = [0, 1, 2, 3, 4, 5].map((host) => rig.ask(host).port);
    assert.deepEqual(ports, [3, 2, 1, 4, 4, 4]);
  });

  it('knows no countries before it has a geo database, and after it was taken away', () => {
    const rig = new RoutingRig();
    rig.publish([backend('us', { region: 'us', country: 'US', port: 1 }), backend('sa', { port: 2 })]);
    assert.equal(rig.ask(1, { listener: 1 }).port, 2);
    rig.batch.useCountries({ countryOf: () => countryNumber('US') });
    assert.equal(rig.ask(1, { listener: 2 }).port, 1);
    rig.batch.useCountries(null);
    assert.equal(rig.ask(1, { listener: 3 }).port, 2);
  });

  it('does not take a client without a country for one of a backend without a country', () => {
    const rig = new RoutingRig();
    rig.publish([backend('nowhere', { region: '', country: '', port: 1 }), backend('pop', { country: 'BR', port: 2 })]);
    assert.equal(rig.ask(1).port, 2);
  });

  it('fills backends in proportion to weight and soft limit', () => {
    const rig = new RoutingRig();
    rig.publish([backend('a', { weight: 1, softLimit: 10 }), backend('b', { weight: 3, softLimit: 20 })]);
    for (let host = 0; host < 210; host++) rig.ask(host);
    const [a, b] = [activeOf(rig.region, 0), activeOf(rig.region, 1)];
    assert.equal(a + b, 210);
    assert.ok(Math.abs(a - 30) <= 1, `${a} and ${b}`);
  });

  it('answers a whole batch, and no more than fits', () => {
    const rig = new RoutingRig();
    rig.publish([backend('a')]);
    for (let index = 0; index < BATCH_CAPACITY; index++) rig.put(index, [0x20010db8, index, 0, 1]);
    rig.batch.route(BATCH_CAPACITY + 100);
    assert.equal(rig.answer(BATCH_CAPACITY - 1).slot, 0);
    assert.equal(activeOf(rig.region, 0), BATCH_CAPACITY);
  });

  it('says why nobody was chosen', () => {
    const rig = new RoutingRig();
    assert.equal(rig.ask(1).slot, NO_BACKEND);
    rig.publish([backend('down', { isHealthy: false }), backend('zero', { weight: 0 })]);
    assert.equal(rig.ask(1).slot, NO_BACKEND);
    assert.equal(rig.ask(1, { tried: [0] }).slot, CONNECT_FAILED);
  });
});

describe('route: limits', () => {
  it('stops at the hard limit and goes on when a place is given back', () => {
    const rig = new RoutingRig();
    rig.publish([backend('a', { hardLimit: 2 })]);
    assert.deepEqual(
      [1, 2, 3].map((host) => rig.ask(host).slot),
      [0, 0, NO_BACKEND],
    );
    new Reservations(rig.region, 0).release(0);
    assert.deepEqual(
      [3, 4].map((host) => rig.ask(host).slot),
      [0, NO_BACKEND],
    );
  });

  it('sends the overflow of a full country to the next class', () => {
    const rig = new RoutingRig();
    rig.publish([backend('br', { country: 'BR', hardLimit: 1, port: 1 }), backend('ar', { country: 'AR', port: 2 })]);
    rig.batch.useCountries({ countryOf: () => countryNumber('BR') });
    assert.deepEqual(
      [1, 2].map((host) => rig.ask(host).port),
      [1, 2],
    );
  });

  it('holds the limit for bound clients too, and binds them where they went', () => {
    const rig = new RoutingRig();
    rig.publish([backend('a', { hardLimit: 1 })]);
    rig.ask(1);
    rig.publish([backend('a', { hardLimit: 1 }), backend('b', { region: 'us' })]);
    assert.equal(rig.ask(1).slot, 1);
    new Reservations(rig.region, 0).release(0);
    assert.equal(rig.ask(1).slot, 1);
  });
});

describe('route: affinity', () => {
  const two = [backend('a'), backend('b')];

  it('sends a client back to its backend, from any worker, although the other has less load', () => {
    const first = new RoutingRig();
    first.publish(two);
    const { slot } = first.ask(1);
    const second = new RoutingRig(first.region, 1);
    for (let visit = 0; visit < 5; visit++) assert.equal(second.ask(1).slot, slot);
    assert.equal(activeOf(first.region, slot), 6);
  });

  it('chooses anew after the TTL, which each visit slides', () => {
    const rig = new RoutingRig(newRegion().region, 0, 60);
    rig.publish(two);
    const { slot } = rig.ask(1);
    // A whole TTL later by the clock may be a moment less in truth: still bound.
    for (const now of [1059, 1118, 1178]) {
      rig.clock[0] = now;
      assert.equal(rig.ask(1).slot, slot);
    }
    rig.clock[0] = 1239;
    assert.equal(rig.ask(1).slot, 1 - slot);
  });

  it('binds nobody with a TTL of 0', () => {
    const rig = new RoutingRig(newRegion().region, 0, 0);
    rig.publish(two);
    assert.notEqual(rig.ask(1).slot, rig.ask(1).slot);
    assert.equal(rig.bindings.sweep(1000), 0);
  });

  it('moves the clients of a backend that drains or is not healthy', () => {
    for (const change of [{ isDraining: true }, { isHealthy: false }]) {
      const rig = new RoutingRig();
      rig.publish(two);
      const { slot } = rig.ask(1);
      rig.publish(two.map((it, index) => (index === slot ? { ...it, ...change } : it)));
      assert.equal(rig.ask(1).slot, 1 - slot);
      rig.publish(two);
      assert.equal(rig.ask(1).slot, 1 - slot, 'bound to the new one');
    }
  });

  it('keeps the clients of a backend whose weight has become 0, and sends it no new ones', () => {
    const rig = new RoutingRig();
    rig.publish(two);
    const { slot } = rig.ask(1);
    rig.publish(two.map((it, index) => (index === slot ? { ...it, weight: 0 } : it)));
    assert.equal(rig.ask(1).slot, slot);
    for (let host = 2; host < 20; host++) assert.equal(rig.ask(host).slot, 1 - slot);
  });

  it('does not bind a client that got no place', () => {
    const rig = new RoutingRig();
    rig.publish([backend('a', { hardLimit: 1 })]);
    rig.ask(1);
    rig.ask(2);
    assert.equal(rig.bindings.sweep(1000), 1);
  });
});

describe('route: after a failed connect', () => {
  it('tries each other candidate once, then says that connecting failed', () => {
    const rig = new RoutingRig();
    rig.publish([backend('a'), backend('b'), backend('c')]);
    const places = new Reservations(rig.region, 0);
    const tried: number[] = [];
    for (let tries = 0; tries < 3; tries++) {
      const { slot } = rig.ask(1, { tried });
      assert.ok(slot >= 0 && !tried.includes(slot));
      places.release(slot);
      tried.push(slot);
    }
    assert.equal(rig.ask(1, { tried }).slot, CONNECT_FAILED);
    assert.ok([0, 1, 2].every((slot) => activeOf(rig.region, slot) === 0));
  });

  it('binds the client to the backend that it got in the end', () => {
    const rig = new RoutingRig();
    rig.publish([backend('a', { weight: 10 }), backend('b')]);
    rig.ask(1);
    const failed = rig.ask(1).slot;
    const next = rig.ask(1, { tried: [failed] }).slot;
    assert.notEqual(next, failed);
    assert.equal(rig.ask(1).slot, next);
  });

  it('keeps a client that comes anew from where it failed, unless there is nobody else', () => {
    const rig = new RoutingRig();
    rig.publish([backend('near'), backend('far', { region: 'us' })]);
    const { slot: failed } = rig.ask(1);
    const { slot: other } = rig.ask(1, { tried: [failed], flags: REQUEST_FLAG.ANEW });
    assert.notEqual(other, failed);
    assert.equal(rig.ask(1).slot, other, 'and is bound there');
    rig.publish([backend('near')]);
    assert.equal(rig.ask(1, { tried: [failed], flags: REQUEST_FLAG.ANEW }).slot, failed);
    rig.batch.configure({ bindingTtlSecs: 600, admission: { maxConnectionsPerIp: 1, rateLimit: null } });
    assert.equal(rig.ask(2).slot, failed);
    assert.equal(
      rig.ask(2, { tried: [failed], flags: REQUEST_FLAG.ANEW }).slot,
      -1 - REJECT_REASONS.indexOf('too_many_per_ip'),
    );
  });

  it('forgets what one client tried when it answers the next', () => {
    const rig = new RoutingRig();
    rig.publish([backend('a')]);
    rig.put(0, 1, { tried: [0] });
    rig.put(1, 2);
    rig.batch.route(2);
    assert.deepEqual([rig.answer(0).slot, rig.answer(1).slot], [CONNECT_FAILED, 0]);
  });

  it('bounds a count of tries that makes no sense', () => {
    const rig = new RoutingRig();
    rig.publish([backend('a')]);
    for (const tries of [-5, 0x7fffffff, MAX_TRIES + 1]) {
      rig.put(0, 1, { tried: [-1, 99, -9, 70_000, -1, -1, -1, -1] });
      rig.requests[REQUEST.TRIES] = tries;
      rig.batch.route(1);
      assert.equal(rig.answer(0).slot, 0);
    }
  });
});

describe('route: a table of anything', () => {
  it('gives the same sequence of choices for the same seeds, another one for others', () => {
    const slots = [1, 1, 2].map((seed) => {
      const { region } = newRegion();
      const rig = new RoutingRig(region, 0, 0);
      rig.publish(Array.from({ length: 50 }, (_, index) => backend(`b${index}`, { softLimit: 1_000_000 })));
      const { requests, responses, names, clock } = rig;
      const seeds = [seed, 0, 0, 0] as const;
      const settings = { bindingTtlSecs: 0, admission: NO_LIMITS };
      const batch = new RouteBatch({ region, worker: 0, requests, responses, names, clock, ...settings, seeds });
      batch.route(BATCH_CAPACITY);
      return Array.from({ length: BATCH_CAPACITY }, (_, index) => rig.answer(index).slot);
    });
    assert.deepEqual(slots[0], slots[1]);
    assert.notDeepEqual(slots[0], slots[2]);
  });

  it('works with seeds that are all 0', () => {
    const { region } = newRegion();
    const rig = new RoutingRig(region, 0, 0);
    rig.publish([backend('a'), backend('b')]);
    const { requests, responses, names, clock } = rig;
    const seeds = [0, 0, 0, 0] as const;
    const settings = { bindingTtlSecs: 0, admission: NO_LIMITS };
    const batch = new RouteBatch({ region, worker: 1, requests, responses, names, clock, ...settings, seeds });
    batch.route(BATCH_CAPACITY);
    assert.equal(activeOf(region, 0), BATCH_CAPACITY / 2);
  });
});
