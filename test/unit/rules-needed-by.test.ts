/** What a listener waits for: nothing that no rule in its reach asks for. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MatcherConfig } from '../../src/domain/rules/matcher-config.js';
import { neededBy, type RoutingRule } from '../../src/domain/rules/needed-by.js';
import { LISTENER_FLAG } from '../../src/domain/shared/batch-layout.js';

const { HELLO, DESTINATION } = LISTENER_FLAG;
const GEO = { plugin: 'geo', options: {} };
const BY_NAME = { plugin: 'hash', options: { hashKey: 'sni' } };
const SNI: MatcherConfig = { type: 'sni', names: ['a.example'], alpn: [] };
const CUSTOM: MatcherConfig = { type: 'custom', file: '/a.mjs', revision: '', config: {} };
const DESTINED: MatcherConfig = { type: 'destination_ip', cidrs: ['10.0.0.0/8'] };
const PORT: MatcherConfig = { type: 'port', port: 22 };
const RANGE: MatcherConfig = { type: 'port_range', start: 20, end: 30 };
const ANY: MatcherConfig = { type: 'any' };

function rule(matcher: MatcherConfig, others: Partial<RoutingRule> = {}): RoutingRule {
  return { name: matcher.type, protocol: 'both', matcher, router: GEO, ...others };
}

function needed(rules: readonly RoutingRule[], port: number, protocol: 'tcp' | 'udp' = 'tcp'): number {
  return neededBy(rules, { protocol, port });
}

describe('what a listener has to find out', () => {
  it('is what rules with sni, custom and destination_ip ask for', () => {
    assert.equal(needed([], 22), 0);
    assert.equal(needed([rule({ type: 'source_ip', cidrs: ['::/0'] })], 22), 0);
    assert.equal(needed([rule(SNI)], 22), HELLO);
    assert.equal(needed([rule(DESTINED)], 22), DESTINATION);
    assert.equal(needed([rule(CUSTOM)], 22), HELLO | DESTINATION);
    assert.equal(needed([rule(SNI), rule(CUSTOM)], 22, 'udp'), DESTINATION);
    assert.equal(needed([rule(CUSTOM, { protocol: 'udp' })], 22), 0);
  });

  it('is nothing of what comes after a rule that decides for all of its clients', () => {
    for (const decided of [PORT, RANGE, ANY]) {
      assert.equal(needed([rule(decided), rule(SNI), rule(CUSTOM)], 22), 0, decided.type);
      assert.equal(needed([rule(DESTINED), rule(decided), rule(CUSTOM)], 22), DESTINATION, decided.type);
      assert.equal(needed([rule(decided, { protocol: 'udp' }), rule(SNI)], 22), HELLO, decided.type);
    }
    assert.equal(needed([rule(PORT), rule(RANGE), rule(SNI)], 443), HELLO);
  });

  it('is what the routers of rules in its reach hash by, that of the deciding one among them', () => {
    assert.equal(needed([rule(PORT, { router: BY_NAME })], 22), HELLO);
    assert.equal(needed([rule(PORT, { router: BY_NAME })], 443), 0);
    assert.equal(needed([rule(PORT), rule(ANY, { router: BY_NAME })], 22), 0);
    assert.equal(needed([rule(PORT), rule(ANY, { router: BY_NAME })], 443), HELLO);
  });
});
