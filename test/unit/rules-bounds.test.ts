/** Rules up to the bounds are compiled and found; beyond them there is a sentence that names thing, value and bound. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MAX_RULES, MAX_RULE_NAMES, MAX_RULE_NETWORKS } from '../../src/domain/rules/compile-rules.js';
import type { MatcherConfig } from '../../src/domain/rules/matcher-config.js';
import { RuleNumbers } from '../../src/domain/rules/rule-numbers.js';
import type { MatchedRule } from '../../src/domain/rules/rule-programs.js';
import { MAX_POOLS, POOL, WORDS_PER_LINE } from '../../src/domain/shared/layout.js';
import { newRegion } from '../support/routing-rig.js';
import { RulesRig } from '../support/rules-rig.js';

const LISTENERS = Array.from({ length: 64 }, (_, id) => {
  return { id, name: `l${id}`, protocol: id % 2 === 0 ? ('tcp' as const) : ('udp' as const), port: id };
});
const VISITOR = { listener: 0, destination: '', isTls: false, serverName: '', alpn: [] };
/** Of 100,000 IPv6 networks that have nothing in common, for each protocol once. */
const MOST_BYTES = 2 ** 28;

function rulesOf(matchers: readonly MatcherConfig[]): MatchedRule[] {
  return matchers.map((matcher, index) => ({ name: `r${index}`, protocol: 'both', matcher }));
}

function networkAt(index: number): string {
  const word = Math.imul(index + 1, 0x9e3779b1) >>> 0;
  return `${(word >>> 16).toString(16)}:${(word & 0xffff).toString(16)}::/64`;
}

function networks(count: number): string[] {
  return Array.from({ length: count }, (_, index) => networkAt(index));
}

function error(message: RegExp): { readonly code: string; readonly message: RegExp } {
  return { code: 'EP_RULES', message };
}

describe('bounds of rules', { timeout: 300_000 }, () => {
  it('let 1,000 rules with 100,000 networks in all be found on 64 listeners', () => {
    const all = networks(MAX_RULE_NETWORKS);
    const each = MAX_RULE_NETWORKS / MAX_RULES;
    const matchers = Array.from({ length: MAX_RULES }, (_, rule): MatcherConfig => {
      return { type: 'source_ip', cidrs: all.slice(rule * each, (rule + 1) * each) };
    });
    const rig = new RulesRig(rulesOf(matchers), LISTENERS);
    assert.ok(rig.bytes < MOST_BYTES, `${rig.bytes} bytes`);
    for (const index of [0, each, 54_321, MAX_RULE_NETWORKS - 1]) {
      const address = (all[index] ?? '').replace('/64', '7');
      for (const listener of [0, 63]) {
        assert.equal(rig.match({ ...VISITOR, listener, address }), Math.floor(index / each), address);
      }
    }
    assert.equal(rig.match({ ...VISITOR, address: '192.0.2.1' }), -1);
  });

  it('refuse one rule, one network or one name more', () => {
    const any: MatcherConfig = { type: 'any' };
    const compile = (matchers: readonly MatcherConfig[]) => (): unknown => new RulesRig(rulesOf(matchers), LISTENERS);
    assert.throws(compile(new Array<MatcherConfig>(MAX_RULES + 1).fill(any)), error(/there are 1001; at most 1000/));
    const cidrs = new Array<string>(MAX_RULE_NETWORKS / 2 + 1).fill('192.0.2.0/24');
    const half: MatcherConfig = { type: 'destination_ip', cidrs };
    assert.throws(compile([half, half]), error(/they have 100002 networks; at most 100000/));
    const names = new Array<string>(MAX_RULE_NAMES + 1).fill('example.com');
    assert.throws(compile([{ type: 'sni', names, alpn: [] }]), error(/they have 100001 names; at most 100000/));
    assert.throws(compile([{ type: 'source_ip', cidrs: ['192.0.2.1/24'] }]), error(/192\.0\.2\.1\/24/));
  });

  it('leave room for as many rules as there may be beside those that they take the place of', () => {
    const { region } = newRegion();
    const numbers = new RuleNumbers(region);
    const take = (turn: number): Set<number> => {
      const names = Array.from({ length: MAX_RULES }, (_, index) => `${turn} ${index}`);
      return new Set(names.flatMap((name) => [numbers.ofRule(name), numbers.ofApp(name)]));
    };
    const first = take(1);
    const second = take(2);
    assert.equal(new Set([...first, ...second]).size, 4 * MAX_RULES);
    for (const number of [...first, ...second]) assert.ok(number > 0 && number < MAX_POOLS);
    assert.throws(() => take(3), error(/too many/));
    numbers.keepOnly(second);
    assert.equal(take(3).size, 2 * MAX_RULES);
  });

  it('give a number that had another owner without what that counted, and the same rule the same one', () => {
    const { region } = newRegion();
    const numbers = new RuleNumbers(region);
    const number = numbers.ofRule('a');
    const line = region.offsets.pools + number * WORDS_PER_LINE;
    region.words[line + POOL.SELECTED] = 7;
    assert.equal(numbers.ofRule('a'), number);
    assert.equal(region.words[line + POOL.SELECTED], 7);
    numbers.keepOnly(new Set());
    assert.equal(numbers.ofRule('b'), number);
    assert.equal(region.words[line + POOL.SELECTED], 0);
  });
});
