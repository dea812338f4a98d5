import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pin } from '../../src/adapters/inbound/config/pin-parser.js';
import type { Pin } from '../../src/application/proxy-config.js';
import { formatCpuList, parseCpuList } from '../../src/domain/cpu-list.js';

describe('a list of CPUs', () => {
  it('is read as the kernel writes it, in the order given', () => {
    assert.deepEqual(parseCpuList('0'), [0]);
    assert.deepEqual(parseCpuList('6,0-3'), [6, 0, 1, 2, 3]);
    assert.equal(formatCpuList([6, 0, 1, 2, 3]), '6,0-3');
    assert.equal(formatCpuList([]), '');
  });

  for (const text of ['', '-', '3-1', '0,0', '0-2,1', '16384', '0-16384', ' 1', '1 ', '01', '1,', '1-2-3', 'a', '-1']) {
    it(`is none of ${JSON.stringify(text)}`, () => {
      assert.equal(parseCpuList(text), null);
    });
  }
});

function written(value: string | number[]): string | undefined {
  return pin.format?.(value as Pin);
}

describe('the setting of pinned workers', () => {
  it('is off, auto or a list', () => {
    assert.deepEqual(pin.parse('AUTO'), { isValid: true, value: 'auto' });
    assert.deepEqual(pin.parse('1-2'), { isValid: true, value: [1, 2] });
    assert.deepEqual(pin.parse('on'), { isValid: false });
    assert.deepEqual(['auto', [1, 2]].map(written), ['auto', '1-2']);
  });
});
