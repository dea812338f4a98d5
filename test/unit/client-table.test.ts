import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ANY_LISTENER, ClientKey } from '../../src/domain/shared/client-key.js';
import { ClientTable, OVER_LIMIT, UNTRACKED } from '../../src/domain/shared/client-table.js';
import { CLIENT_WAYS } from '../../src/domain/shared/layout.js';
import { newRegion } from '../support/routing-rig.js';

function rig(clientSets = 16) {
  const { region } = newRegion({ clientSets });
  const key = (client: number): ClientKey => {
    const made = new ClientKey(region.seeds());
    made.assign(ANY_LISTENER, 0, 0, 0xffff, client);
    return made;
  };
  const lower = (word: number): number => Atomics.sub(region.words, word, 1);
  return { region, key, lower, table: new ClientTable(region) };
}

describe('client table', () => {
  it('counts a client over all workers, and each connection in the word of its worker', () => {
    const { region, key, lower, table } = rig();
    const words = [0, 1, 2, 3].map((worker) => table.raise(key(1), worker, 4));
    assert.equal(new Set(words).size, 4);
    assert.equal(table.count(key(1)), 4);
    assert.deepEqual(
      [0, 3].map((worker) => table.raise(key(1), worker, 4)),
      [OVER_LIMIT, OVER_LIMIT],
    );
    assert.equal(table.count(key(1)), 4, 'who is refused is not counted');
    lower(words[2] ?? 0);
    assert.equal(table.raise(key(1), 0, 4), words[0]);
    assert.equal(region.words[words[0] ?? 0], 2);
  });

  it('keeps clients apart and lets an entry without connections be taken', () => {
    const { key, lower, table } = rig(1);
    const words = Array.from({ length: CLIENT_WAYS }, (_, client) => table.raise(key(client), 0, 1));
    assert.equal(new Set(words).size, CLIENT_WAYS);
    assert.equal(table.raise(key(100), 0, 1), UNTRACKED, 'no room');
    lower(words[3] ?? 0);
    assert.equal(table.raise(key(100), 0, 1), words[3]);
    assert.equal(table.raise(key(3), 1, 1), UNTRACKED);
    assert.equal(table.raise(key(2), 1, 1), OVER_LIMIT);
  });

  it('gives back what a dead worker held, a slice at a time, and nothing of the others', () => {
    const { key, table } = rig();
    for (let client = 0; client < 40; client++) {
      table.raise(key(client), 1, 10);
      table.raise(key(client), 2, 10);
    }
    for (let from = 0; from < table.entries; from += 5) table.clearWorker(1, from, from + 5);
    const counts = Array.from({ length: 40 }, (_, client) => table.count(key(client)));
    assert.deepEqual(new Set(counts), new Set([1]));
    table.clearWorker(2);
    assert.equal(table.count(key(7)), 0);
  });

  it('counts together what two workers made two entries for', () => {
    const { region, key, table } = rig(1);
    const first = table.raise(key(1), 0, 2);
    const entryWords = 1 + region.capacity.workers;
    // As if another worker had claimed the next entry for the same client at the same moment.
    region.words[first - 1 + entryWords] = region.words[first - 1] ?? 0;
    region.words[first + 1 + entryWords] = 1;
    assert.equal(table.count(key(1)), 2);
    assert.equal(table.raise(key(1), 2, 2), OVER_LIMIT);
  });
});
