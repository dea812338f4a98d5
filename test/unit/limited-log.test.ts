import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LimitedLog } from '../../src/application/limited-log.js';

function rig() {
  const lines: string[] = [];
  const timers: (() => void)[] = [];
  const write = (context: object, message: string): void => void lines.push(`${JSON.stringify(context)} ${message}`);
  const logger = { debug: write, info: write, warn: write, error: write };
  const log = new LimitedLog(logger, (action) => {
    timers.push(action);
    return () => void timers.splice(timers.indexOf(action), 1);
  });
  const flood = (count: number, message: string): void => {
    for (let line = 0; line < count; line++) log.write('warn', { line }, message);
  };
  return { lines, timers, log, flood, endWindow: () => timers.shift()?.() };
}

describe('LimitedLog', () => {
  it('passes on what is few', () => {
    const { lines, flood, endWindow } = rig();
    flood(2, 'down');
    endWindow();
    assert.deepEqual(lines, ['{"line":0} down', '{"line":1} down']);
  });

  it('counts what is more than 100 lines in a window, by message, and begins anew with the next window', () => {
    const { lines, flood, endWindow } = rig();
    flood(150, 'down');
    flood(3, 'up');
    assert.equal(lines.length, 100);
    endWindow();
    assert.deepEqual(lines.slice(100), [
      '{"lines":50} down: more lines than are shown',
      '{"lines":3} up: more lines than are shown',
    ]);
    flood(1, 'down');
    assert.equal(lines.length, 103);
  });

  it('tells what it has counted when it is closed, once, and leaves no timer', () => {
    const { lines, timers, log, flood } = rig();
    flood(101, 'down');
    log.close();
    log.close();
    assert.deepEqual(
      [lines.at(-1), lines.length, timers.length],
      ['{"lines":1} down: more lines than are shown', 101, 0],
    );
  });
});
