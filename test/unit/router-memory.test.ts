import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ROUTER_PLUGINS, routerPlugin } from '../../src/domain/routing/router-plugins.js';
import { BACKEND } from '../../src/domain/shared/layout.js';
import { RouterRig } from '../support/router-rig.js';
import { backend } from '../support/routing-rig.js';

const CHOICES = 100_000;
const ROUNDS = 7;
/** One number for each choice would be sixteen times as much. */
const MOST_BYTES = CHOICES;

/** What so many choices leave on the heap: the median of some rounds, as a collection may make any of them less. */
function bytesLeft(choose: () => void): number {
  const rounds = Array.from({ length: ROUNDS }, () => {
    const before = process.memoryUsage().heapUsed;
    for (let choices = 0; choices < CHOICES; choices++) choose();
    return process.memoryUsage().heapUsed - before;
  });
  return rounds.sort((a, b) => a - b)[ROUNDS >> 1] ?? 0;
}

describe('a choice', () => {
  const cases = [
    ...ROUTER_PLUGINS.map(({ name }) => [name, {}] as const),
    ['hash', { hash_key: 'sni', load_factor: 1.25 }] as const,
    ['weighted', { smooth_weighted: false }] as const,
  ];
  for (const [name, config] of cases) {
    it(`allocates nothing: ${name} ${JSON.stringify(config)}`, () => {
      const plugin = routerPlugin(name);
      assert.ok(plugin);
      const rig = new RouterRig(plugin, config);
      rig.publish(
        ['a', 'b', 'c', 'd', 'e'].map((id, position) => backend(id, { weight: 1 + (position % 3), hardLimit: 50 })),
      );
      // Not all alike, and one of them full.
      for (const position of [0, 1, 2, 3, 4]) rig.setWord(position, BACKEND.ACTIVE, 10 * (position + 1));
      for (const position of [0, 2, 3]) rig.setWord(position, BACKEND.CONNECT_MICROS, 1000 * (3 * position + 1));
      const { router } = rig.worker();
      const client = rig.worker().put({ host: 7, country: 'BR', name: 'www.example' });
      const choose = (): void => {
        if (router.choose(client) < 0) throw new Error('nobody has room');
      };
      for (let choices = 0; choices < 2 * CHOICES; choices++) choose();
      const bytes = bytesLeft(choose);
      assert.ok(bytes < MOST_BYTES, `${bytes} bytes after ${CHOICES} choices`);
    });
  }
});
