import assert from 'node:assert/strict';
import { isIP, isIPv4, SocketAddress } from 'node:net';
import { describe, it } from 'node:test';
import { formatIpAddress, parseIpAddress } from '../../src/domain/ip-address.js';
import { fc } from '../support/fast-check.js';

const word = fc.oneof(fc.constant(0), fc.constant(0xffff), fc.nat({ max: 0xffffffff }));
const words = fc.tuple(word, word, word, word);
/** Letters that literals are made of, so that near misses come up often. */
const nearLiteral = fc.oneof(
  fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcfF:.%')), maxLength: 48 }),
  fc
    .array(fc.constantFrom('0', '00', '1', 'ffff', '12345', ':', '::', '.', '255', '256', '1.2.3.4', '%lo', ' '), {
      maxLength: 16,
    })
    .map((parts) => parts.join('')),
  fc.ipV4(),
  fc.ipV6(),
  fc.ipV4Extended(),
  fc.string(),
);

function parse(text: string): number[] {
  const parsed = parseIpAddress(text);
  assert.ok(parsed, text);
  return [...parsed];
}

describe('IP address literals', () => {
  it('accepts exactly what node:net accepts, without zone ids', () => {
    fc.assert(
      fc.property(nearLiteral, (text) => {
        assert.equal(parseIpAddress(text) !== null, isIP(text) !== 0 && !text.includes('%'));
      }),
      { numRuns: 5_000 },
    );
  });

  it('gives back the words it was formatted from', () => {
    fc.assert(
      fc.property(words, ([w0, w1, w2, w3]) => {
        assert.deepEqual(parse(formatIpAddress(w0, w1, w2, w3)), [w0, w1, w2, w3]);
      }),
      { numRuns: 2_000 },
    );
  });

  it('writes signed words, as an Int32Array holds them, like unsigned ones', () => {
    fc.assert(
      fc.property(words, ([w0, w1, w2, w3]) => {
        assert.equal(formatIpAddress(w0 | 0, w1 | 0, w2 | 0, w3 | 0), formatIpAddress(w0, w1, w2, w3));
      }),
    );
  });

  it('writes what the system writes', () => {
    fc.assert(
      fc.property(words, ([w0, w1, w2, w3]) => {
        const text = formatIpAddress(w0, w1, w2, w3);
        // The system writes the deprecated ::a.b.c.d (RFC 4291, 2.5.5.1) dotted; RFC 5952 leaves that open.
        fc.pre(w0 !== 0 || w1 !== 0 || w2 !== 0);
        const family = isIPv4(text) ? 'ipv4' : 'ipv6';
        assert.equal(text, new SocketAddress({ address: text, family }).address);
      }),
      { numRuns: 2_000 },
    );
  });

  it('reads every spelling of an address alike', () => {
    assert.deepEqual(parse('1.2.3.4'), [0, 0, 0xffff, 0x01020304]);
    assert.deepEqual(parse('::ffff:1.2.3.4'), [0, 0, 0xffff, 0x01020304]);
    assert.deepEqual(parse('::FFFF:102:304'), [0, 0, 0xffff, 0x01020304]);
    assert.deepEqual(parse('255.255.255.255'), [0, 0, 0xffff, 0xffffffff]);
    assert.deepEqual(parse('2001:db8:0:0:1::8'), parse('2001:0DB8::1:0:0:8'));
    assert.deepEqual(parse('::'), [0, 0, 0, 0]);
    assert.deepEqual(parse('1:2:3:4:5:6:7::'), [0x10002, 0x30004, 0x50006, 0x70000]);
  });

  it('formats as RFC 5952 asks', () => {
    const cases = [
      ['2001:0db8::0001', '2001:db8::1'],
      ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
      ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
      ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
      ['0:0:0:0:0:0:0:0', '::'],
      ['0:0:0:0:0:0:0:1', '::1'],
      ['1:0:0:0:0:0:0:0', '1::'],
      ['::ffff:10.0.0.1', '10.0.0.1'],
    ] as const;
    for (const [given, expected] of cases) {
      const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = parse(given);
      assert.equal(formatIpAddress(w0, w1, w2, w3), expected);
    }
  });

  it('refuses what is no address', () => {
    const wrong = [
      '',
      ' ',
      '1',
      '1.2.3',
      '1.2.3.4.5',
      '01.2.3.4',
      '1.2.3.256',
      '1.2.3.4 ',
      '-1.2.3.4',
      '0x7f.0.0.1',
      ':',
      ':::',
    ];
    wrong.push(
      '1::2::3',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '1::2:3:4:5:6:7:8',
      '12345::',
      'g::',
      '[::1]',
      'fe80::1%lo',
    );
    wrong.push('1.2.3.4::', '::1.2.3.4:5', '::ffff:01.2.3.4', '1:2:3:4:5:6:7:1.2.3.4', '1'.repeat(10_000_000));
    for (const text of wrong) assert.equal(parseIpAddress(text), null, text.slice(0, 40));
  });
});
