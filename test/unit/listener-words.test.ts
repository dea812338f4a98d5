import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ListenerLimits } from '../../src/application/listener-config.js';
import { listenerWords } from '../../src/cluster/listener-words.js';
import { LISTENER, LISTENER_FLAG, LISTENER_WORDS } from '../../src/domain/shared/batch-layout.js';
import { MAX_LISTENERS } from '../../src/domain/shared/layout.js';

const OTHERS: ListenerLimits = {
  maxConnections: 1,
  connectTimeoutMs: 2,
  connectTotalTimeoutMs: 3,
  idleTimeoutSecs: 4,
  halfCloseTimeoutSecs: 5,
  maxLifetimeSecs: 6,
  helloTimeoutMs: 7,
  maxSessionsPerClient: 8,
};

/** In the order of LISTENER. */
const WORDS_OF_OTHERS = [2, 3, 4000, 5000, 6000, 1, 0, 7, 8];

test('a listener has the settings of its own at its id, and every other id those of the others, without flags', () => {
  const limits = { ...OTHERS, idleTimeoutSecs: 0.25, helloTimeoutMs: 99 };
  const words = listenerWords([{ id: 5, limits, flags: LISTENER_FLAG.HELLO }], OTHERS);
  assert.equal(words.length, MAX_LISTENERS * LISTENER_WORDS);
  for (let id = 0; id < MAX_LISTENERS; id++) {
    const expected = [...WORDS_OF_OTHERS];
    if (id === 5) {
      expected[LISTENER.IDLE_TIMEOUT_MS] = 250;
      expected[LISTENER.HELLO_TIMEOUT_MS] = 99;
      expected[LISTENER.FLAGS] = LISTENER_FLAG.HELLO;
    }
    assert.deepEqual(words.slice(id * LISTENER_WORDS, (id + 1) * LISTENER_WORDS), expected, `id ${id}`);
  }
});

test('every word survives the way to a worker, which is JSON', () => {
  const words = listenerWords([], OTHERS);
  assert.deepEqual(JSON.parse(JSON.stringify(words)), words);
});
