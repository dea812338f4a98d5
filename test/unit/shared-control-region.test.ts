import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ControlRegion, initialiseRegion, regionBytes, setsFor } from '../../src/domain/shared/control-region.js';
import { HEADER, HISTOGRAM_LINES, MAX_BACKENDS, MAX_WORKERS } from '../../src/domain/shared/layout.js';
import { newRegion, SMALL_CAPACITY } from '../support/routing-rig.js';

const INVALID = { code: 'EP_REGION_INVALID', source: 'internal' };

describe('control region', () => {
  it('is seen alike by whoever maps it', () => {
    const { region, buffer } = newRegion();
    const mapped = new ControlRegion(buffer);
    assert.deepEqual(mapped.capacity, SMALL_CAPACITY);
    assert.deepEqual(mapped.offsets, region.offsets);
    assert.deepEqual(mapped.seeds(), [0x1234, -77, 0x7fffffff, 42]);
  });

  it('keeps every line of its own apart from the others', () => {
    const { region } = newRegion();
    const { workers, backends } = region.capacity;
    const lines = [
      ...Array.from({ length: workers }, (_, worker) => region.workerAt(worker)),
      ...Array.from({ length: backends }, (_, slot) => region.backendAt(slot)),
      ...Array.from({ length: workers * backends }, (_, row) =>
        region.rowAt(Math.floor(row / backends), row % backends),
      ),
      ...Array.from({ length: backends }, (_, slot) => region.connectTimesAt(slot)),
    ];
    assert.equal(new Set(lines).size, lines.length);
    for (const line of lines) assert.equal(line % 16, 0);
    assert.equal(Math.max(...lines) + HISTOGRAM_LINES * 16, region.offsets.bindings);
    assert.equal(region.inheritedRowAt(backends), region.offsets.totalWords);
  });

  it('may lie in a mapping that is larger, as pages are', () => {
    const buffer = new SharedArrayBuffer(regionBytes(SMALL_CAPACITY) + 4096);
    assert.deepEqual(initialiseRegion(buffer, SMALL_CAPACITY, [1, 2, 3, 4]).capacity, SMALL_CAPACITY);
  });

  it('refuses memory that is too small, foreign or never initialised', () => {
    assert.throws(() => new ControlRegion(new SharedArrayBuffer(0)), INVALID);
    assert.throws(() => new ControlRegion(new SharedArrayBuffer(4096)), INVALID);
    assert.throws(() => initialiseRegion(new SharedArrayBuffer(4096), SMALL_CAPACITY, [1, 2, 3, 4]), INVALID);
    for (const word of Object.values(HEADER).filter((at) => at < HEADER.SEEDS)) {
      const { region, buffer } = newRegion();
      region.words[word] = (region.words[word] ?? 0) + 1;
      assert.throws(() => new ControlRegion(buffer), INVALID, `word ${word}`);
    }
  });

  it('refuses a region that claims to be larger than what is mapped', () => {
    const { buffer } = newRegion();
    assert.throws(() => new ControlRegion(buffer.slice(0, buffer.byteLength - 64)), INVALID);
  });

  it('has sets for as many entries as asked for, rounded up to a power of two', () => {
    const sizes = [0, 1, 8, 9, 1000, 65536, 65537].map((entries) => setsFor(entries, 8));
    assert.deepEqual(sizes, [1, 1, 1, 2, 128, 8192, 16384]);
  });

  it('refuses a capacity out of bounds', () => {
    const buffer = new SharedArrayBuffer(1 << 20);
    const wrong = [
      { workers: 0 },
      { workers: MAX_WORKERS + 1 },
      { backends: 0 },
      { backends: MAX_BACKENDS + 1 },
      { backends: 1.5 },
      { bindingSets: 0 },
      { bindingSets: 48 },
      { rateSets: 48 },
      { clientSets: 0 },
    ];
    for (const change of wrong) {
      assert.throws(() => initialiseRegion(buffer, { ...SMALL_CAPACITY, ...change }, [1, 2, 3, 4]), INVALID);
    }
  });
});
