import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { RejectionLog } from '../../src/cluster/rejection-log.js';
import { ACCEPTOR, REJECT_REASONS, WORKER, type RejectReason } from '../../src/domain/shared/layout.js';
import { newRegion } from '../support/routing-rig.js';

const INTERVAL_MS = 10_000;

function rigOf(t: TestContext, before: (reject: (worker: number, reason: RejectReason) => void) => void = () => {}) {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { region } = newRegion();
  const reject = (worker: number, reason: RejectReason, clients = 1): void => {
    const word = region.workerAt(worker) + WORKER.REJECTED + 2 * REJECT_REASONS.indexOf(reason);
    Atomics.add(region.words, word, clients);
  };
  const rejectAtAcceptor = (clients: number): void =>
    void Atomics.add(region.words, region.offsets.acceptor + ACCEPTOR.RATE_LIMITED, clients);
  before(reject);
  const lines: unknown[] = [];
  const log = (level: string) => (context: object) => void lines.push({ level, ...context });
  const logger = {
    trace: log('trace'),
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
  };
  const rejections = new RejectionLog({ region, logger });
  t.after(() => rejections.stop());
  rejections.start();
  return { reject, rejectAtAcceptor, lines, rejections, tick: () => t.mock.timers.tick(INTERVAL_MS) };
}

describe('rejection log', () => {
  it('says in one line what all workers have turned away since the last one', (t) => {
    const { reject, lines, tick } = rigOf(t);
    reject(0, 'no_backend', 2);
    reject(3, 'no_backend', 3);
    reject(1, 'rate_limited', 7);
    tick();
    assert.deepEqual(lines, [{ level: 'warn', clients: { no_backend: 5, rate_limited: 7 } }]);
    reject(2, 'no_backend');
    tick();
    assert.deepEqual(lines[1], { level: 'warn', clients: { no_backend: 1 } });
    for (let turn = 0; turn < 5; turn++) tick();
    assert.equal(lines.length, 2);
  });

  it('counts those whom no worker has seen, as the acceptor refused them', (t) => {
    const { reject, rejectAtAcceptor, lines, tick } = rigOf(t);
    rejectAtAcceptor(4);
    tick();
    reject(1, 'rate_limited', 2);
    rejectAtAcceptor(3);
    tick();
    assert.deepEqual(lines, [
      { level: 'info', clients: { rate_limited: 4 } },
      { level: 'info', clients: { rate_limited: 5 } },
    ]);
  });

  it('is no warning where nothing of ours was lacking', (t) => {
    const { reject, lines, tick } = rigOf(t);
    const warned = REJECT_REASONS.filter((reason) => {
      reject(0, reason);
      tick();
      return (lines.at(-1) as { level: string }).level === 'warn';
    });
    const ours = ['no_backend', 'connect_failed', 'no_descriptors'];
    assert.deepEqual(warned, [...ours, 'overload_lag', 'overload_memory', 'overload_descriptors']);
    assert.equal(lines.length, REJECT_REASONS.length);
  });

  it('tells nothing of before it began, and what is left when it stops', (t) => {
    const { reject, lines, rejections, tick } = rigOf(t, (earlier) => earlier(0, 'no_backend'));
    tick();
    assert.deepEqual(lines, []);
    reject(0, 'address_denied');
    rejections.stop();
    rejections.stop();
    assert.deepEqual(lines, [{ level: 'info', clients: { address_denied: 1 } }]);
  });
});
