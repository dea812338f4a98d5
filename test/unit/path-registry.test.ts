import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { regionTable } from '../../src/domain/regions.js';
import { BindingTable } from '../../src/domain/shared/binding-table.js';
import type { ControlRegion } from '../../src/domain/shared/control-region.js';
import {
  BACKEND,
  MAX_PATHS,
  MAX_PATH_BYTES,
  PATH,
  PATH_LINES,
  UNIX_PORT,
  WORDS_PER_LINE,
} from '../../src/domain/shared/layout.js';
import { PathRegistry, type Target } from '../../src/domain/shared/path-registry.js';
import { RoutesReader } from '../../src/domain/shared/routes-reader.js';
import { RoutesWriter } from '../../src/domain/shared/routes-writer.js';
import { backend, newRegion } from '../support/routing-rig.js';

function entryAt(region: ControlRegion, number: number): { serial: number; path: string } {
  const at = region.offsets.paths + number * PATH_LINES * WORDS_PER_LINE;
  const bytes = new Uint8Array(region.words.buffer, (at + PATH.BYTES) * 4, MAX_PATH_BYTES + 1);
  const path = Buffer.from(bytes.slice(0, bytes.indexOf(0))).toString();
  return { serial: region.words[at + PATH.SERIAL] ?? 0, path };
}

/** As whoever connects finds it; null where the entry holds another path by now. */
function resolve(region: ControlRegion, target: Target | null): string | null {
  assert.equal(target?.port, UNIX_PORT);
  const { serial, path } = entryAt(region, target.words[3] ?? 0);
  return serial === target.words[1] ? path : null;
}

function full(registry: PathRegistry): string[] {
  const paths = Array.from({ length: MAX_PATHS }, (_, index) => `/run/${index}.sock`);
  for (const path of paths) assert.ok(registry.assign(path));
  return paths;
}

const addressesOf = (paths: readonly string[]): string[] => paths.map((path) => `unix:${path}`);

describe('path registry', () => {
  it('keeps a path in its entry, bytes and all, and gives each path one of its own', () => {
    const { region } = newRegion();
    const registry = new PathRegistry(region);
    const longest = `/${'é'.repeat(53)}`;
    assert.equal(Buffer.byteLength(longest), MAX_PATH_BYTES);
    const paths = ['/run/a.sock', longest, '/x'];
    const targets = paths.map((path) => registry.assign(path));
    assert.deepEqual(
      targets.map((target) => resolve(region, target)),
      paths,
    );
    assert.deepEqual(registry.assign('/run/a.sock'), targets[0]);
  });

  it('has no room when every entry is in use, and has it again when a path is gone', () => {
    const { region } = newRegion();
    const registry = new PathRegistry(region);
    const paths = full(registry);
    assert.equal(registry.assign('/one/more'), null);
    assert.equal(registry.hasRoom(), false);
    const old = registry.assign('/run/7.sock');
    registry.retireAllBut(addressesOf(paths.filter((path) => path !== '/run/7.sock')), 1);
    assert.equal(registry.hasRoom(), true);
    assert.equal(resolve(region, old), '/run/7.sock', 'until somebody needs its entry');
    assert.equal(resolve(region, registry.assign('/one/more')), '/one/more');
    assert.equal(resolve(region, old), null, 'who is late can tell');
  });

  it('writes no entry anew while a worker chooses by a table that had its path', () => {
    const names = Array.from({ length: MAX_PATHS }, (_, index) => String(index));
    const { region } = newRegion({ backends: MAX_PATHS + 8 });
    const writer = new RoutesWriter(region, new BindingTable(region));
    const publish = (list: readonly string[]) =>
      writer.publish(
        list.map((name) => backend(name, { address: `unix:/run/${name}`, port: 0 })),
        regionTable(),
        'sa',
      );
    publish(names);
    const reader = new RoutesReader(region, 0);
    reader.enter();
    publish(names.slice(1));
    const wanted = [...names.slice(1), 'new'];
    assert.deepEqual(publish(wanted).leftOut, [{ id: 'new', reason: 'no_path' }]);
    assert.equal(writer.hasRoomForPath(), false);
    reader.leave();
    assert.equal(writer.hasRoomForPath(), true);
    assert.deepEqual(publish(wanted).leftOut, []);
  });

  it('takes the path first that has been gone for longest, and one that comes back keeps its entry', () => {
    const { region } = newRegion();
    const registry = new PathRegistry(region);
    const paths = full(registry);
    const without = (...gone: string[]) => addressesOf(paths.filter((path) => !gone.includes(path)));
    registry.retireAllBut(without('/run/9.sock'), 1);
    registry.retireAllBut(without('/run/9.sock', '/run/2.sock'), 2);
    registry.retireAllBut(without('/run/9.sock', '/run/2.sock', '/run/5.sock'), 3);
    const back = registry.assign('/run/9.sock');
    assert.equal(resolve(region, back), '/run/9.sock');
    assert.equal(registry.assign('/new')?.words[3], 2);
    assert.equal(registry.assign('/newer')?.words[3], 5);
    assert.equal(registry.assign('/newest'), null);
  });
});

describe('routes writer: Unix sockets', () => {
  it('has no port while it writes another target, and writes none where nothing has changed', (t) => {
    const { region } = newRegion();
    const writer = new RoutesWriter(region, new BindingTable(region));
    const publish = (address: string) => writer.publish([backend('a', { address })], regionTable(), 'sa');
    const slot = publish('10.0.0.1').published[0]?.slot ?? -1;
    const line = region.backendAt(slot);
    const { mock } = t.mock.method(Atomics, 'store');
    const written = (): number[] => {
      const words = mock.calls.map((call) => call.arguments[1] - line);
      mock.resetCalls();
      return words.filter((word) => word >= BACKEND.TARGET_PORT && word < BACKEND.TARGET_ADDRESS + 4);
    };
    const { TARGET_PORT, TARGET_ADDRESS } = BACKEND;
    const address = [0, 1, 2, 3].map((word) => TARGET_ADDRESS + word);
    publish('unix:/run/b.sock');
    assert.deepEqual(written(), [TARGET_PORT, ...address, TARGET_PORT]);
    publish('unix:/run/b.sock');
    assert.deepEqual(written(), []);
  });

  it('publishes them with their entries, for choices and for connections to come', () => {
    const { region } = newRegion();
    const writer = new RoutesWriter(region, new BindingTable(region));
    const backends = [backend('a'), backend('b', { address: 'unix:/run/b.sock', port: 0 })];
    const { published, leftOut } = writer.publish(backends, regionTable(), 'sa');
    assert.deepEqual(leftOut, []);
    const slot = published[1]?.slot ?? -1;
    const reader = new RoutesReader(region, 0);
    reader.enter();
    const route = reader.table.routeOfSlot[slot] ?? -1;
    const target = { port: reader.table.port[route] ?? 0, words: reader.table.address.slice(route * 4, route * 4 + 4) };
    assert.equal(resolve(region, target), '/run/b.sock');
    const line = region.backendAt(slot);
    assert.equal(region.words[line + BACKEND.TARGET_PORT], UNIX_PORT);
    assert.deepEqual(
      region.words.slice(line + BACKEND.TARGET_ADDRESS, line + BACKEND.TARGET_ADDRESS + 4),
      target.words,
    );
  });
});
