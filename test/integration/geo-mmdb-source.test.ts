import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { DEFAULT_GEO_LIMITS, type GeoLimits } from '../../src/adapters/outbound/geo/geo-limits.js';
import { readMmdbFile } from '../../src/adapters/outbound/geo/mmdb-file.js';
import { MmdbGeoSource } from '../../src/adapters/outbound/geo/mmdb-geo-source.js';
import { GeoTable } from '../../src/domain/geo/geo-table.js';
import { eventually } from '../support/eventually.js';
import { treeOf, withControl, writeMmdb } from '../support/geo-mmdb-writer.js';
import { FakeRegionMaker, lookUp } from '../support/geo-regions.js';

/** A regular file whose size is 4096 and whose content is shorter: as if cut short while it was read. */
const SHRINKING_FILE = '/sys/devices/system/cpu/online';
const LIBUV_THREADS = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);

describe('MmdbGeoSource', () => {
  let folder: string;
  let path: string;
  let maker: FakeRegionMaker;
  let sources: MmdbGeoSource[];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'edgeproxy-geo-'));
    path = join(folder, 'country.mmdb');
    maker = new FakeRegionMaker();
    sources = [];
  });

  afterEach(async () => {
    await Promise.all(sources.map((source) => source.close()));
    rmSync(folder, { recursive: true });
  });

  function open(limits: Partial<GeoLimits> = {}, from = path): MmdbGeoSource {
    const source = new MmdbGeoSource(from, maker, { ...DEFAULT_GEO_LIMITS, ...limits });
    sources.push(source);
    return source;
  }

  /** As an administrator should: written beside it, then renamed. */
  function replace(bytes: Buffer): void {
    writeFileSync(`${path}.new`, bytes);
    renameSync(`${path}.new`, path);
  }

  it('loads at the first call and then only when the file has changed', async () => {
    replace(countryOfOneEight('US'));
    const source = open();
    assert.equal(await countryIn(source), 'US');
    assert.equal(await source.loadIfChanged(), null);
    replace(countryOfOneEight('DE'));
    assert.equal(await countryIn(source), 'DE');
    assert.equal(await source.loadIfChanged(), null);
  });

  it('sees a change in place that keeps size and modification time', async () => {
    writeFileSync(path, countryOfOneEight('US'));
    utimesSync(path, 1, 1);
    const source = open();
    assert.equal(await countryIn(source), 'US');
    writeFileSync(path, countryOfOneEight('DE'));
    utimesSync(path, 1, 1);
    assert.equal(await countryIn(source), 'DE');
  });

  it('follows a symbolic link to another file', async () => {
    const targets = ['US', 'DE'].map((code) => {
      const target = join(folder, code);
      writeFileSync(target, countryOfOneEight(code));
      return target;
    });
    const source = open();
    for (const target of targets) {
      symlinkSync(target, `${path}.new`);
      renameSync(`${path}.new`, path);
      assert.equal(`${folder}/${await countryIn(source)}`, target);
    }
  });

  it('answers every look-up while one database replaces another', async () => {
    replace(countryOfOneEight('US'));
    const source = open();
    const first = await source.loadIfChanged();
    assert.ok(first);
    let region = first;
    let table = new GeoTable(region.buffer);
    let turns = 0;
    const codes = ['DE', 'JP', 'BR', 'FR', 'IT', 'ES'];
    for (const code of codes) {
      const before = lookUp(table, '1.2.3.4');
      replace(countryOfOneEight(code));
      const loading = source.loadIfChanged();
      let isLoaded = false;
      void loading.finally(() => (isLoaded = true));
      while (!isLoaded) {
        for (let i = 0; i < 100; i++) assert.equal(lookUp(table, '1.2.3.4'), before);
        turns++;
        await new Promise((resolve) => setImmediate(resolve));
      }
      const next = await loading;
      assert.ok(next);
      region.close();
      assert.equal(lookUp(table, '1.2.3.4'), before, 'a closed region still answers whoever has it mapped');
      region = next;
      table = new GeoTable(region.buffer);
      assert.equal(lookUp(table, '1.2.3.4'), code);
    }
    // On a busy machine one load or another may be done by the next turn, but not each of them.
    assert.ok(turns > codes.length, 'the loads held the loop up');
    region.close();
    assert.equal(maker.openFds.size, 0);
  });

  it('refuses a damaged replacement for as long as it is there and loads the next sound one', async () => {
    replace(countryOfOneEight('US'));
    const source = open();
    assert.equal(await countryIn(source), 'US');
    replace(countryOfOneEight('US').subarray(0, 100));
    await assert.rejects(source.loadIfChanged(), { code: 'EP_GEO_DAMAGED', isRetryable: false });
    await assert.rejects(source.loadIfChanged(), { code: 'EP_GEO_DAMAGED' });
    replace(countryOfOneEight('DE'));
    assert.equal(await countryIn(source), 'DE');
  });

  it('reports a file that has gone and loads it when it is back', async () => {
    replace(countryOfOneEight('US'));
    const source = open();
    assert.equal(await countryIn(source), 'US');
    rmSync(path);
    await assert.rejects(source.loadIfChanged(), { code: 'EP_GEO_MISSING' });
    replace(countryOfOneEight('DE'));
    assert.equal(await countryIn(source), 'DE');
  });

  it('never resolves to null before there is a database', async () => {
    const source = open();
    await assert.rejects(source.loadIfChanged(), {
      code: 'EP_GEO_MISSING',
      message: /country\.mmdb: found no such file/,
    });
    await assert.rejects(source.loadIfChanged(), { code: 'EP_GEO_MISSING' });
    replace(Buffer.from('not one'));
    await assert.rejects(source.loadIfChanged(), { code: 'EP_GEO_DAMAGED' });
    await assert.rejects(source.loadIfChanged(), { code: 'EP_GEO_DAMAGED' });
    replace(countryOfOneEight('US'));
    assert.equal(await countryIn(source), 'US');
  });

  it('refuses what is no regular file, without waiting for a writer', { timeout: 60_000 }, async () => {
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const subfolder = join(folder, 'folder');
    mkdirSync(subfolder);
    for (const irregular of [fifo, subfolder, '/dev/zero']) {
      await assert.rejects(open({}, irregular).loadIfChanged(), { code: 'EP_GEO_UNREADABLE' }, irregular);
    }
  });

  it('refuses an empty file, and one larger than allowed before it is read', async () => {
    writeFileSync(path, '');
    await assert.rejects(open().loadIfChanged(), { code: 'EP_GEO_DAMAGED', message: /an empty file/ });
    truncateSync(path, DEFAULT_GEO_LIMITS.maxFileBytes + 1);
    await assert.rejects(open().loadIfChanged(), { code: 'EP_GEO_TOO_LARGE', message: /found 1073741825 bytes/ });
  });

  it('refuses a file that is cut short while it is read, and tries again', async () => {
    symlinkSync(SHRINKING_FILE, path);
    const source = open();
    await assert.rejects(source.loadIfChanged(), { code: 'EP_GEO_CHANGED', isRetryable: true });
    rmSync(path);
    replace(countryOfOneEight('US'));
    assert.equal(await countryIn(source), 'US');
    rmSync(path);
    symlinkSync(SHRINKING_FILE, path);
    await assert.rejects(source.loadIfChanged(), { code: 'EP_GEO_CHANGED' });
    await assert.rejects(source.loadIfChanged(), { code: 'EP_GEO_CHANGED' });
  });

  it('refuses a file that is written to while it is read', async () => {
    writeFileSync(path, '');
    truncateSync(path, 64 * 1024 * 1024);
    const toucher = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       const { utimesSync } = require('node:fs');
       parentPort.postMessage('ready');
       for (let secs = 1; ; secs++) utimesSync(workerData, secs, secs);`,
      { eval: true, workerData: path },
    );
    await new Promise((resolve) => toucher.once('message', resolve));
    try {
      // On a busy machine the other thread may rest for as long as a reading takes.
      const isRefused = (): boolean => {
        try {
          readMmdbFile(path, DEFAULT_GEO_LIMITS.maxFileBytes);
          return false;
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'EP_GEO_CHANGED');
          return true;
        }
      };
      await eventually('a reading meets a change', isRefused);
    } finally {
      await toucher.terminate();
    }
  });

  it(
    'gives up a load that takes too long or too much heap, and keeps serving others',
    { timeout: 120_000 },
    async () => {
      replace(largeRecords());
      await assert.rejects(open({ loadTimeoutMs: 1 }).loadIfChanged(), {
        code: 'EP_GEO_TOO_LARGE',
        message: /longer than 1 ms/,
      });
      const source = open({ maxHeapMb: 40 });
      await assert.rejects(source.loadIfChanged(), { code: 'EP_GEO_TOO_LARGE', message: /more than 40 MB of heap/ });
      replace(countryOfOneEight('US'));
      assert.equal(await countryIn(source), 'US');
    },
  );

  it('leaves nothing open where a region cannot be made, and tries again', async () => {
    replace(countryOfOneEight('US'));
    const source = open();
    const createRegion = maker.createRegion.bind(maker);
    maker.createRegion = () => {
      throw new Error('EMFILE');
    };
    await assert.rejects(source.loadIfChanged(), {
      code: 'EP_GEO_LOAD',
      source: 'internal',
      isRetryable: true,
      message: /EMFILE/,
    });
    maker.createRegion = (name) => createRegion(name, 64);
    await assert.rejects(source.loadIfChanged(), { code: 'EP_GEO_LOAD' });
    assert.equal(maker.openFds.size, 0);
    maker.createRegion = createRegion;
    assert.equal(await countryIn(source), 'US');
  });

  it('lets calls take turns, so that one change is loaded once', async () => {
    replace(countryOfOneEight('US'));
    const source = open();
    const [first, second] = await Promise.all([source.loadIfChanged(), source.loadIfChanged()]);
    assert.ok(first);
    assert.equal(second, null);
    first.close();
    assert.equal(maker.openFds.size, 0);
  });

  it('closes twice, also during a load, and then refuses to load', async () => {
    replace(largeRecords());
    const source = open();
    const loading = source.loadIfChanged().then(
      (region) => region?.close(),
      () => null,
    );
    await source.close();
    await source.close();
    await loading;
    await assert.rejects(source.loadIfChanged(), { code: 'EP_GEO_LOAD', message: /has been closed/ });
    assert.equal(maker.openFds.size, 0);
  });

  it('closes in bounded time while the file system does not answer', { timeout: 120_000 }, async () => {
    replace(countryOfOneEight('US'));
    const source = open();
    const unblock = blockFileSystem(folder);
    try {
      const loading = source.loadIfChanged().catch((error: unknown) => error);
      await new Promise((resolve) => setImmediate(resolve));
      await source.close();
      assert.equal(await Promise.race([loading, Promise.resolve('not answered')]), 'not answered');
      await unblock();
      assert.match(String(await loading), /EdgeproxyError: .* closed/);
    } finally {
      await unblock();
    }
  });
});

/** Keeps every thread of libuv's pool in open(2), by pipes that have no writer: as a dead file server would. */
function blockFileSystem(folder: string): () => Promise<void> {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  let isBlocked = true;
  const readers = Array.from({ length: LIBUV_THREADS }, () => openFile(pipe));
  return async () => {
    if (!isBlocked) return;
    isBlocked = false;
    const writer = openSync(pipe, constants.O_RDWR);
    for (const reader of await Promise.all(readers)) await reader.close();
    closeSync(writer);
  };
}

async function countryIn(source: MmdbGeoSource): Promise<string> {
  const region = await source.loadIfChanged();
  assert.ok(region, 'nothing was loaded');
  region.close();
  return lookUp(new GeoTable(region.buffer), '1.2.3.4');
}

function countryOfOneEight(code: string): Buffer {
  return writeMmdb({
    nodes: treeOf([{ network: '1.0.0.0/8', data: 0 }], 4),
    data: [{ country: { iso_code: code } }],
    ipVersion: 4,
  });
}

/** 2,000 records of 4,000 numbers: 16 MB as a file, several times that decoded. */
function largeRecords(): Buffer {
  const networks = Array.from({ length: 2000 }, (_, i) => ({ network: `${i >> 8}.${i & 255}.0.0/16`, data: i }));
  const numbers = withControl(11, 4000, Buffer.from('c107'.repeat(4000), 'hex'));
  const data = networks.map(() => ({ country_code: 'US', numbers }));
  return writeMmdb({ nodes: treeOf(networks, 4), data, ipVersion: 4 });
}
