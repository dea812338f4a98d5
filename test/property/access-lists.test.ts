/** Networks and lists of them: what is parsed, and who is let in, compared with a search through the whole list. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AccessLists, LISTED } from '../../src/domain/admission/access-lists.js';
import { type AccessRules, compileAccess } from '../../src/domain/admission/compile-access.js';
import { formatCidr, parseCidr } from '../../src/domain/cidr.js';
import { NO_COUNTRY } from '../../src/domain/geo/geo-layout.js';
import { formatIpAddress, parseIpAddress } from '../../src/domain/ip-address.js';
import { countryNumber } from '../../src/domain/regions.js';
import { fc } from '../support/fast-check.js';

const NO_RULES: AccessRules = { allowCidrs: [], denyCidrs: [], allowCountries: [], denyCountries: [] };

function listsOf(rules: Partial<AccessRules>): AccessLists {
  const bytes = compileAccess({ ...NO_RULES, ...rules });
  const region = new SharedArrayBuffer(bytes.length);
  new Uint8Array(region).set(bytes);
  return new AccessLists(region);
}

function verdictOf(lists: AccessLists, address: string): number {
  const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = parseIpAddress(address) ?? [];
  return lists.addressVerdict(w0 | 0, w1 | 0, w2 | 0, w3 | 0);
}

function bitsOf(words: readonly number[]): string {
  return words.map((word) => (word >>> 0).toString(2).padStart(32, '0')).join('');
}

const MAPPED = bitsOf([0, 0, 0xffff]);

/** Few different bits, so that networks hold each other and addresses hit them. */
const word = fc.oneof(fc.constantFrom(0, 0x80000000, 0xffffffff, 0x0a000000), fc.nat({ max: 0xffffffff }));
const address = fc.oneof(
  word.map((last) => [0, 0, 0xffff, last]),
  fc.tuple(fc.constantFrom(0x20010db8, 0), word, word, word),
);

/** A network around an address, as 128 bits and a length. */
const network = fc
  .tuple(address, fc.nat(128))
  .map(([words, length]) => {
    const isIpv4 = bitsOf(words).startsWith(MAPPED);
    const wholeBits = isIpv4 ? 96 + (length % 33) : length;
    const kept = bitsOf(words).slice(0, wholeBits).padEnd(128, '0');
    const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = [0, 1, 2, 3].map((at) =>
      Number.parseInt(kept.slice(at * 32, at * 32 + 32), 2),
    );
    const text = `${formatIpAddress(w0, w1, w2, w3)}/${isIpv4 ? wholeBits - 96 : wholeBits}`;
    return { text, bits: kept.slice(0, wholeBits), isIpv4 };
  })
  // Written as IPv4 with a prefix of IPv6: no such network.
  .filter(({ text, isIpv4 }) => isIpv4 || text.includes(':'));

describe('CIDR notation', () => {
  it('is read as it is written, in canonical form', () => {
    fc.assert(
      fc.property(network, ({ text }) => {
        const parsed = parseCidr(text);
        assert.ok(parsed.isValid, text);
        assert.equal(formatCidr(parsed.cidr), text);
      }),
    );
  });

  const right = [
    ['192.0.2.7', '192.0.2.7/32'],
    ['2001:DB8:0::/48', '2001:db8::/48'],
    ['::ffff:10.0.0.0/104', '10.0.0.0/8'],
    ['::/0', '::/0'],
    ['0.0.0.0/0', '0.0.0.0/0'],
  ] as const;
  for (const [text, canonical] of right) {
    it(`takes ${text} for ${canonical}`, () => {
      const parsed = parseCidr(text);
      assert.equal(parsed.isValid && formatCidr(parsed.cidr), canonical);
    });
  }

  const wrong = [
    ['10.1.2.3/8', 'has bits beyond its prefix; the network is 10.0.0.0/8'],
    ['2001:db8::1/64', 'has bits beyond its prefix; the network is 2001:db8::/64'],
    ['10.0.0.0/33', 'has a prefix that is not a number from 0 to 32'],
    ['::/129', 'has a prefix that is not a number from 0 to 128'],
    ['10.0.0.0/', 'has a prefix that is not a number from 0 to 32'],
    ['10.0.0.0/08', 'has a prefix that is not a number from 0 to 32'],
    ['10.0.0.0/8/8', 'is not an address or a network'],
    ['10.0.0', 'is not an address or a network'],
    ['', 'is not an address or a network'],
    ['fe80::1%eth0/64', 'is not an address or a network'],
  ] as const;
  for (const [text, reason] of wrong) {
    it(`refuses "${text}"`, () => assert.deepEqual(parseCidr(text), { isValid: false, reason }));
  }
});

describe('access lists', () => {
  it('decide by the most specific network that holds the address, "denied" of two equal ones', () => {
    const lists = fc.record({
      allowed: fc.array(network, { maxLength: 12 }),
      denied: fc.array(network, { maxLength: 12 }),
      asked: fc.array(address, { minLength: 1, maxLength: 20 }),
      hasCountries: fc.boolean(),
    });
    fc.assert(
      fc.property(lists, ({ allowed, denied, asked, hasCountries }) => {
        const compiled = listsOf({
          allowCidrs: allowed.map(({ text }) => text),
          denyCidrs: denied.map(({ text }) => text),
          allowCountries: hasCountries ? ['BR'] : [],
        });
        const all = [
          ...allowed.map((each) => ({ ...each, verdict: LISTED.ALLOWED })),
          ...denied.map((each) => ({ ...each, verdict: LISTED.DENIED })),
        ];
        for (const words of asked) {
          const bits = bitsOf(words);
          const isIpv4 = bits.startsWith(MAPPED);
          const holding = all.filter((each) => each.isIpv4 === isIpv4 && bits.startsWith(each.bits));
          holding.sort((one, other) => other.bits.length - one.bits.length || other.verdict - one.verdict);
          const unlisted = allowed.length > 0 && !hasCountries ? LISTED.DENIED : NO_COUNTRY;
          const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = words;
          assert.equal(compiled.addressVerdict(w0 | 0, w1 | 0, w2 | 0, w3 | 0), holding[0]?.verdict ?? unlisted);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('refuse everybody who is in no list of those allowed', () => {
    const lists = listsOf({ allowCidrs: ['10.0.0.0/8'] });
    assert.equal(verdictOf(lists, '10.255.0.1'), LISTED.ALLOWED);
    assert.equal(verdictOf(lists, '11.0.0.1'), LISTED.DENIED);
    assert.equal(verdictOf(lists, '2001:db8::1'), LISTED.DENIED);
  });

  it('refuse denied countries, or all but allowed ones, an unknown one too', () => {
    const refused = (lists: AccessLists): boolean[] =>
      ['BR', 'AR', ''].map((code) => lists.refusesCountry(code === '' ? -1 : countryNumber(code)));
    assert.deepEqual(refused(listsOf({ denyCountries: ['BR'] })), [true, false, false]);
    assert.deepEqual(refused(listsOf({ allowCountries: ['BR'] })), [false, true, true]);
    assert.deepEqual(refused(listsOf({ allowCountries: ['BR', 'AR'], denyCountries: ['AR'] })), [false, true, true]);
    assert.deepEqual(refused(listsOf({})), [false, false, false]);
  });

  it('know whether there is anything in them', () => {
    assert.equal(listsOf({}).isEmpty, true);
    assert.equal(listsOf({ denyCidrs: ['10.0.0.0/8'] }).isEmpty, false);
    assert.equal(listsOf({ denyCountries: ['BR'] }).isEmpty, false);
  });

  it('take a hundred thousand networks in a few megabytes', () => {
    const denyCidrs = Array.from({ length: 100_000 }, (_, index) => {
      const spread = Math.imul(index, 0x9e3779b1) >>> 0;
      return `${spread >>> 24}.${(spread >>> 16) & 255}.${(spread >>> 8) & 255}.${spread & 255}/32`;
    });
    const bytes = compileAccess({ ...NO_RULES, denyCidrs });
    assert.ok(bytes.length < 32 * 2 ** 20, `${bytes.length} bytes`);
  });
});
