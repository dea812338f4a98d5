/** What the live page makes of the API's answers, without a browser. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Backend, Stats } from '../../page/src/api-types.js';
import { byRegion, stateOf } from '../../page/src/backend-state.js';
import { bitsPerSecond, duration, milliseconds, short } from '../../page/src/format.js';
import { History, HISTORY_MS } from '../../page/src/history.js';
import { areaOf, pathOf } from '../../page/src/plot-path.js';

function stats(
  total: number,
  { sent = 0, rejected = 0, uptimeSecs = total }: Readonly<Record<string, number>> = {},
): Stats {
  return {
    version: '1',
    node: 'pop',
    region: 'sa',
    uptime_secs: uptimeSecs,
    connections: { total, active: 3, rejected: { rate_limited: rejected }, ended: {} },
    bytes: { sent, received: 0 },
    udp: { sessions: 0 },
    bindings: 0,
    backends: 1,
    draining: false,
  };
}

function backend(id: string, differs: Partial<Backend> = {}): Backend {
  return {
    id,
    app: '',
    region: 'sa',
    country: 'BR',
    ip: '10.0.0.1',
    port: 80,
    weight: 1,
    soft_limit: 10,
    hard_limit: 20,
    active: 0,
    connections_total: 0,
    errors: {},
    health: 'healthy',
    breaker: 'closed',
    draining: false,
    enabled: true,
    rtt_ms: null,
    registered: false,
    silent: false,
    ...differs,
  };
}

describe('the history of the live page', () => {
  it('turns counters into rates over the time between two looks', () => {
    const history = new History();
    history.add(stats(10, { sent: 100, rejected: 1 }), 0);
    assert.equal(history.rates.length, 0);
    history.add(stats(30, { sent: 1100, rejected: 2 }), 2000);
    const { connectionsPerSec, sentPerSec, rejectedPerSec, active } = history.latest ?? assert.fail('there is no rate');
    assert.deepEqual([connectionsPerSec, sentPerSec, rejectedPerSec, active], [10, 500, 0.5, 3]);
  });

  it('begins anew where the proxy did, instead of showing a negative rate', () => {
    const history = new History();
    history.add(stats(1000), 0);
    history.add(stats(5, { uptimeSecs: 1 }), 1000);
    assert.equal(history.rates.length, 0);
    history.add(stats(8, { uptimeSecs: 2 }), 2000);
    assert.equal(history.latest?.connectionsPerSec, 3);
  });

  it('keeps no more than the plots show', () => {
    const history = new History();
    for (let second = 0; second < 1000; second++) history.add(stats(second), second * 1000);
    assert.equal(history.rates.length, HISTORY_MS / 1000 + 1);
  });
});

describe('a plot of the live page', () => {
  const rates = [0, 1000].map((atMs) => ({
    atMs,
    connectionsPerSec: atMs / 100,
    rejectedPerSec: 0,
    sentPerSec: 0,
    receivedPerSec: 0,
    active: 0,
  }));

  it('ends at its right edge now, with the highest value at the top', () => {
    const path = pathOf(rates, ({ connectionsPerSec }) => connectionsPerSec, 1000, 10);
    assert.equal(path, 'M299.0 80.0L300.0 0.0');
    assert.equal(areaOf(path, rates, 1000), `${path}L300.0 80L299.0 80Z`);
  });

  it('is empty before there are two points', () => {
    assert.equal(
      pathOf(rates.slice(1), () => 1, 1000, 10),
      '',
    );
  });
});

describe('the backends of the live page', () => {
  it('have their worst state told first, in words as well as in colour', () => {
    const cases: readonly (readonly [Partial<Backend>, string, string])[] = [
      [{}, 'good', 'healthy'],
      [{ health: 'unknown' }, 'good', 'up, unchecked'],
      [{ health: 'unhealthy', draining: true }, 'bad', 'unhealthy, draining'],
      [{ breaker: 'open' }, 'bad', 'breaker open'],
      [{ breaker: 'half_open' }, 'warn', 'breaker half open'],
      [{ silent: true }, 'bad', 'silent'],
      [{ active: 20 }, 'warn', 'full'],
      [{ active: 2000, hard_limit: 0 }, 'good', 'healthy'],
      [{ enabled: false, weight: 0 }, 'none', 'disabled, weight 0'],
    ];
    for (const [differs, tone, text] of cases) {
      const state = stateOf(backend('x', differs));
      assert.deepEqual([state.tone, state.words.join(', ')], [tone, text]);
    }
  });

  it('stand by region, the troubled first, and never move with their load', () => {
    const all = [
      backend('idle'),
      backend('busy', { active: 5 }),
      backend('down', { health: 'unhealthy' }),
      backend('far', { region: 'eu' }),
      backend('nowhere', { region: '' }),
    ];
    const regions = byRegion(all, '').map(({ name, backends, active, up }) => [
      name,
      backends.map(({ id }) => id),
      active,
      up,
    ]);
    assert.deepEqual(regions, [
      ['eu', ['far'], 0, 1],
      ['no region', ['nowhere'], 0, 1],
      ['sa', ['down', 'busy', 'idle'], 5, 2],
    ]);
  });

  it('are filtered by what is shown of them', () => {
    const all = [backend('one', { ip: '10.9.9.9' }), backend('two', { health: 'unhealthy' })];
    const found = (filter: string): string[] =>
      byRegion(all, filter).flatMap(({ backends }) => backends.map(({ id }) => id));
    assert.deepEqual([found('10.9.9.9:80'), found(' UNHEALTHY '), found('nothing')], [['one'], ['two'], []]);
  });
});

describe('numbers of the live page', () => {
  it('have three digits and a prefix', () => {
    assert.deepEqual([0, 7, 0.5, 999, 1000, 12_345, 999_950, 1_234_567].map(short), [
      '0',
      '7',
      '0.50',
      '999',
      '1.00 k',
      '12.3 k',
      '1.00 M',
      '1.23 M',
    ]);
    assert.deepEqual([bitsPerSecond(10), bitsPerSecond(125_000)], ['80 b/s', '1.00 Mb/s']);
  });

  it('tell times in two units', () => {
    assert.deepEqual([5, 65, 3660, 90_000].map(duration), ['5 s', '1 min 5 s', '1 h 1 min', '1 d 1 h']);
    assert.deepEqual([null, 0.123, 52.7].map(milliseconds), ['–', '0.12 ms', '53 ms']);
  });
});
