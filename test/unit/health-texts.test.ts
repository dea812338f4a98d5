import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatByteText, parseByteText } from '../../src/domain/health/byte-text.js';
import { includesStatus, parseStatusRanges } from '../../src/domain/health/status-ranges.js';

describe('parseStatusRanges', () => {
  it('reads statuses and ranges of them', () => {
    const ranges = parseStatusRanges('200,204,300-399');
    assert.ok(ranges);
    const well = [199, 200, 201, 204, 299, 300, 350, 399, 400].filter((status) => includesStatus(ranges, status));
    assert.deepEqual(well, [200, 204, 300, 350, 399]);
  });

  for (const text of [
    '',
    ',',
    '200,',
    '99',
    '600',
    '20',
    '2000',
    '200-',
    '-200',
    '300-200',
    '2xx',
    '200 204',
    '200;204',
  ])
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseStatusRanges(text), null));

  it('refuses more than 32 of them', () => {
    assert.equal(parseStatusRanges(Array(32).fill('200').join(','))?.length, 32);
    assert.equal(parseStatusRanges(Array(33).fill('200').join(',')), null);
  });
});

describe('parseByteText', () => {
  it('reads printable ASCII and escapes', () => {
    assert.equal(parseByteText(String.raw`a ~\r\n\t\\\x00\xFf`, 100), 'a ~\r\n\t\\\0\xff');
    assert.equal(parseByteText('', 0), '');
  });

  for (const text of ['\\', '\\q', '\\x', '\\x1', '\\xg1', 'ä', '\n', '\x7f', '\\0'])
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseByteText(text, 100), null));

  it('reads what formatByteText writes, which is printable and bounded', () => {
    const all = String.fromCharCode(...Array(256).keys());
    const text = formatByteText(all, 256);
    assert.match(text, /^[\x20\x21\x23-\x7e]+$/);
    assert.equal(parseByteText(text, 256), all);
    assert.equal(formatByteText('abcdef\r', 3), 'abc…');
  });

  it('counts bytes, not characters', () => {
    assert.equal(parseByteText('\\x41\\x42', 2), 'AB');
    assert.equal(parseByteText('\\x41\\x42C', 2), null);
  });
});
