import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { regionTable } from '../../src/domain/regions.js';
import { ClientKey } from '../../src/domain/shared/client-key.js';
import { BindingTable } from '../../src/domain/shared/binding-table.js';
import { type ControlRegion } from '../../src/domain/shared/control-region.js';
import { MAX_REGIONS, ROUTES_CONTROL, WORKER_ROW } from '../../src/domain/shared/layout.js';
import { Reservations } from '../../src/domain/shared/reservations.js';
import { RoutesReader } from '../../src/domain/shared/routes-reader.js';
import { RoutesWriter } from '../../src/domain/shared/routes-writer.js';
import { backend, newRegion, shareOf } from '../support/routing-rig.js';

interface Rig {
  readonly region: ControlRegion;
  readonly bindings: BindingTable;
  readonly writer: RoutesWriter;
  readonly publish: (...ids: string[]) => ReturnType<RoutesWriter['publish']>;
}

function rig(backends = 8): Rig {
  const { region } = newRegion({ backends });
  const bindings = new BindingTable(region);
  const writer = new RoutesWriter(region, bindings);
  return {
    region,
    bindings,
    writer,
    publish: (...ids) =>
      writer.publish(
        ids.map((id) => backend(id)),
        regionTable(),
        'sa',
      ),
  };
}

describe('routes writer: slots', () => {
  it('keeps a backend in its slot across publishes, whatever the order', () => {
    const { writer, publish } = rig();
    publish('a', 'b', 'c');
    const slots = ['a', 'b', 'c'].map((id) => writer.slotOf(id));
    publish('c', 'x', 'a', 'b');
    assert.deepEqual(
      ['a', 'b', 'c'].map((id) => writer.slotOf(id)),
      slots,
    );
    assert.equal(writer.usedSlots, 4);
  });

  it('leaves out what does not fit, names it, and takes it in once there is room', () => {
    const { publish } = rig(2);
    assert.deepEqual(publish('a', 'b', 'c', 'd').leftOut, [
      { id: 'c', reason: 'no_slot' },
      { id: 'd', reason: 'no_slot' },
    ]);
    // The slot of b is free only after a table without b has been published.
    assert.equal(publish('a', 'c').leftOut.length, 1);
    const { published, leftOut, retiredSlots } = publish('a', 'c');
    assert.deepEqual(
      published.map(({ slot, backend: { id } }) => [slot, id]),
      [
        [0, 'a'],
        [1, 'c'],
      ],
    );
    assert.deepEqual([leftOut, retiredSlots], [[], 0]);
  });

  it('leaves out an address that is none and a second backend of the same id', () => {
    const { writer } = rig();
    const wrong = [backend('a', { address: 'host.example' }), backend('b'), backend('b', { port: 1 })];
    const { leftOut, published } = writer.publish(wrong, regionTable(), 'sa');
    assert.deepEqual(leftOut, [
      { id: 'a', reason: 'address' },
      { id: 'b', reason: 'duplicate' },
    ]);
    assert.deepEqual(
      published.map((it) => it.backend.port),
      [8080],
    );
  });

  it('gives a slot to another backend only when its last connection has ended', () => {
    const { region, writer, publish } = rig(1);
    publish('old');
    const held = new Reservations(region, 2);
    held.reserve(0, 10);
    publish();
    assert.equal(publish('new').leftOut.length, 1);
    held.release(0);
    assert.equal(publish('new').leftOut.length, 0);
    assert.equal(writer.slotOf('new'), 0);
    assert.equal(writer.slotOf('old'), undefined);
  });

  it('holds a slot back for a share without an active, as a crash can leave it', () => {
    const { region, publish } = rig(1);
    publish('old');
    Atomics.add(region.words, region.rowAt(3, 0) + WORKER_ROW.SHARE, 1);
    publish();
    assert.equal(publish('new').leftOut.length, 1);
  });

  it('holds a slot back while a worker still chooses by a table that had it', () => {
    const { region, publish } = rig(1);
    publish('old');
    const reader = new RoutesReader(region, 0);
    reader.enter();
    reader.leave();
    reader.enter();
    publish();
    assert.equal(publish('new').leftOut.length, 1);
    reader.leave();
    assert.equal(publish('new').leftOut.length, 0);
  });

  it('forgets the bindings of a slot before another backend gets it', () => {
    const { region, bindings, publish } = rig(2);
    publish('old', 'other');
    const [bound, kept] = [new ClientKey(region.seeds()), new ClientKey(region.seeds())];
    bound.assign(0, 0, 0, 0xffff, 1);
    kept.assign(0, 0, 0, 0xffff, 2);
    bindings.insert(bound, 0, 100, 600);
    bindings.insert(kept, 1, 100, 600);
    publish('other');
    publish('other', 'new');
    assert.equal(bindings.find(bound, 100, 600), -1);
    assert.equal(bindings.find(kept, 100, 600), 1);
  });

  it('shows a new owner none of the old one totals, and a returning backend its own', () => {
    const { region, publish } = rig(1);
    const total = region.rowAt(1, 0) + WORKER_ROW.CONNECTIONS;
    publish('old');
    Atomics.store(region.words, total, 7);
    Atomics.store(region.words, region.rowAt(1, 0) + WORKER_ROW.ERRORS, 3);
    const held = new Reservations(region, 0);
    held.reserve(0, 10);
    publish();
    publish('old');
    assert.equal(Atomics.load(region.words, total), 7);
    held.release(0);
    publish();
    publish('new');
    assert.equal(Atomics.load(region.words, total), 0);
    assert.equal(Atomics.load(region.words, region.rowAt(1, 0) + WORKER_ROW.ERRORS), 0);
    assert.equal(shareOf(region, 0, 0), 0);
  });
});

describe('routes reader', () => {
  it('has nothing to choose from before the first publish', () => {
    const { region } = rig();
    const reader = new RoutesReader(region, 0);
    reader.enter();
    assert.equal(reader.table.choosable, 0);
  });

  it('takes over what was published: address, port, limits, country, region', () => {
    const { region, writer } = rig();
    const one = backend('a', {
      country: 'BR',
      address: '2001:db8::7',
      port: 443,
      weight: 3,
      softLimit: 0,
      hardLimit: 9,
    });
    writer.publish([one], regionTable(), 'eu');
    const { table } = takeOver(region);
    assert.equal(table.choosable, 1);
    assert.deepEqual([...table.address.subarray(0, 4)], [0x20010db8, 0, 0, 7]);
    assert.deepEqual([table.port[0], table.weight[0], table.hardLimit[0], table.capacity[0]], [443, 3, 9, 3]);
    assert.equal(table.country[0], 1 * 26 + 17);
    assert.equal(table.region[0], table.regionOf(1 * 26 + 17));
    assert.notEqual(table.popRegion, table.region[0]);
    assert.equal(table.popRegion, table.regionOf(3 * 26 + 4));
  });

  it('offers only healthy backends, and those of weight 0 to bound clients alone', () => {
    const { region, writer } = rig();
    const backends = [
      backend('down', { isHealthy: false }),
      backend('draining', { isDraining: true }),
      backend('zero', { weight: 0 }),
      backend('good'),
    ];
    writer.publish(backends, regionTable(), 'sa');
    const { table } = takeOver(region);
    assert.equal(table.choosable, 1);
    const reachable = backends.map(({ id }) => (table.routeOfSlot[writer.slotOf(id) ?? -1] ?? -1) >= 0);
    assert.deepEqual(reachable, [false, false, true, true]);
  });

  it('keeps a region name that fits no number from matching anything', () => {
    const { region, writer } = rig(400);
    const backends = Array.from({ length: 400 }, (_, index) => backend(`b${index}`, { region: `r${index}` }));
    writer.publish(backends, regionTable(), 'sa');
    const { table } = takeOver(region);
    assert.equal(table.choosable, 400);
    assert.equal(Math.max(...table.region), MAX_REGIONS);
    assert.ok(table.region.includes(0));
  });

  it('keeps the old table for a batch when the new one cannot be copied, and tries again in the next', () => {
    const { region, publish } = rig();
    publish('a');
    const reader = takeOver(region);
    publish('a', 'b');
    const control = region.offsets.routesControl;
    const live = Atomics.load(region.words, control + ROUTES_CONTROL.LIVE);
    Atomics.add(region.words, control + ROUTES_CONTROL.SEQUENCE + live, 1);
    reader.enter();
    assert.equal(reader.table.choosable, 1);
    reader.leave();
    Atomics.add(region.words, control + ROUTES_CONTROL.SEQUENCE + live, 1);
    reader.enter();
    assert.equal(reader.table.choosable, 2);
  });

  it('goes on across the wrap of the generation', () => {
    const { region, publish } = rig();
    const generationAt = region.offsets.routesControl + ROUTES_CONTROL.GENERATION;
    Atomics.store(region.words, generationAt, -2);
    assert.equal(publish('a').generation, -1);
    const reader = takeOver(region);
    assert.equal(publish('a', 'b').generation, 1);
    reader.enter();
    assert.equal(reader.table.choosable, 2);
  });
});

function takeOver(region: ControlRegion): RoutesReader {
  const reader = new RoutesReader(region, 0);
  reader.enter();
  reader.leave();
  return reader;
}
