/** Any rules, listeners and clients: what the compiled rules find is the first rule, in order, that a plain reading matches. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseCidr } from '../../src/domain/cidr.js';
import { formatIpAddress, parseIpAddress } from '../../src/domain/ip-address.js';
import type { MatcherConfig } from '../../src/domain/rules/matcher-config.js';
import type { RuleClient } from '../../src/domain/rules/rule-client.js';
import type { MatchedRule, RuleListener } from '../../src/domain/rules/rule-programs.js';
import { fc } from '../support/fast-check.js';
import { RulesRig, type RuleVisitor } from '../support/rules-rig.js';

/** Few of each, so that rules and clients meet. */
const ADDRESSES = [
  '10.0.0.1',
  '10.0.0.2',
  '10.0.1.1',
  '10.128.0.1',
  '192.0.2.9',
  '2001:db8::1',
  '2001:db8:1::1',
  '::1',
];
const NETWORKS = [
  ...['0.0.0.0/0', '10.0.0.0/8', '10.0.0.0/24', '10.0.0.1/32', '10.0.0.0/31', '10.128.0.0/9', '192.0.2.0/24'],
  ...['::/0', '2001:db8::/32', '2001:db8::/64', '2001:db8:1::1/128', '::ffff:10.0.0.0/104'],
];
const NAMES = ['', 'example.com', 'www.example.com', 'a.b.example.com', 'example.org', 'com', 'xexample.com'];
const PATTERNS = ['example.com', '*.example.com', '*.b.example.com', '*.com', '*', 'www.example.com', 'example.org'];
const PROTOCOLS = ['h2', 'http/1.1', 'acme-tls/1'];

const networks = fc.uniqueArray(fc.constantFrom(...NETWORKS), { minLength: 1, maxLength: 4 });
const matcher: fc.Arbitrary<MatcherConfig> = fc.oneof(
  { arbitrary: fc.record({ type: fc.constantFrom('source_ip', 'destination_ip'), cidrs: networks }), weight: 5 },
  {
    arbitrary: fc.record({
      type: fc.constant('sni' as const),
      names: fc.uniqueArray(fc.constantFrom(...PATTERNS), { maxLength: 3 }),
      alpn: fc.uniqueArray(fc.constantFrom(...PROTOCOLS), { maxLength: 2 }),
    }),
    weight: 5,
  },
  { arbitrary: fc.record({ type: fc.constant('port' as const), port: fc.integer({ min: 80, max: 83 }) }), weight: 1 },
  {
    arbitrary: fc.record({
      type: fc.constant('port_range' as const),
      start: fc.integer({ min: 79, max: 83 }),
      end: fc.integer({ min: 79, max: 83 }),
    }),
    weight: 1,
  },
  {
    arbitrary: fc.record({
      type: fc.constant('custom' as const),
      file: fc.constant(''),
      revision: fc.constant(''),
      config: fc.constantFrom('10.0.0.1', '2001:db8::1', 'www.example.com', 'h2', 'udp', 'l1'),
    }),
    weight: 2,
  },
  { arbitrary: fc.constant({ type: 'any' } as const), weight: 1 },
);
const rules: fc.Arbitrary<MatchedRule[]> = fc
  .array(fc.record({ protocol: fc.constantFrom('tcp', 'udp', 'both', 'both'), matcher }), { maxLength: 14 })
  .map((some) => some.map((rule, index) => ({ ...rule, name: `r${index}` })));
const listeners: fc.Arbitrary<RuleListener[]> = fc
  .array(fc.record({ protocol: fc.constantFrom('tcp', 'tcp', 'udp'), port: fc.integer({ min: 80, max: 83 }) }), {
    minLength: 1,
    maxLength: 4,
  })
  .map((some) => some.map((listener, index) => ({ ...listener, id: index * 3, name: `l${index}` })));
const visitor = fc.record({
  listener: fc.nat(4),
  address: fc.constantFrom(...ADDRESSES),
  destination: fc.constantFrom('', ...ADDRESSES),
  isTls: fc.boolean(),
  serverName: fc.constantFrom(...NAMES),
  alpn: fc.uniqueArray(fc.constantFrom(...PROTOCOLS)),
});

describe('compiled rules', () => {
  it('find the first rule in order that matches, for any rules, listeners and clients', () => {
    fc.assert(
      fc.property(rules, listeners, fc.array(visitor, { minLength: 1, maxLength: 12 }), (some, open, visitors) => {
        const rig = new RulesRig(some, open, {
          matcherOf:
            ({ config }) =>
            (client) =>
              isNamed(client, config),
        });
        for (const it of visitors) {
          const listener = open[it.listener];
          const found = rig.match({ ...it, listener: listener?.id ?? 50 });
          const expected = listener === undefined ? -1 : some.findIndex((rule) => isMatch(rule, listener, it));
          assert.equal(found, expected, JSON.stringify({ some, open, it }));
        }
      }),
      { numRuns: 400 },
    );
  });
});

type Visitor = Omit<RuleVisitor, 'listener'>;

function isNamed(client: RuleClient, config: unknown): boolean {
  return [client.address, client.serverName, client.protocol, client.listener, ...client.alpn].includes(String(config));
}

/** As the documentation puts it, without any structure. */
function isMatch({ protocol, matcher }: MatchedRule, listener: RuleListener, visitor: Visitor): boolean {
  if (protocol !== 'both' && protocol !== listener.protocol) return false;
  switch (matcher.type) {
    case 'any':
      return true;
    case 'port':
      return matcher.port === listener.port;
    case 'port_range':
      return matcher.start <= listener.port && listener.port <= matcher.end;
    case 'source_ip':
      return matcher.cidrs.some((cidr) => contains(cidr, visitor.address));
    case 'destination_ip':
      return visitor.destination !== '' && matcher.cidrs.some((cidr) => contains(cidr, visitor.destination));
    case 'sni':
      return listener.protocol === 'tcp' && visitor.isTls && isNameMatch(matcher, visitor);
    case 'custom':
      return isNamed(clientOf(visitor, listener), matcher.config);
  }
}

function clientOf(visitor: Visitor, { name, protocol }: RuleListener): RuleClient {
  return { ...visitor, ...(visitor.isTls ? {} : { serverName: '', alpn: [] }), port: 0, listener: name, protocol };
}

function isNameMatch({ names, alpn }: Extract<MatcherConfig, { type: 'sni' }>, visitor: Visitor): boolean {
  if (alpn.length > 0 && !alpn.some((protocol) => visitor.alpn.includes(protocol))) return false;
  return names.length === 0 || names.some((pattern) => fits(pattern, visitor.serverName));
}

function fits(pattern: string, name: string): boolean {
  if (pattern === '*') return true;
  return pattern.startsWith('*.') ? name.endsWith(pattern.slice(1)) : pattern === name;
}

function contains(text: string, address: string): boolean {
  const parsed = parseCidr(text);
  const words = parseIpAddress(address);
  assert.ok(parsed.isValid && words !== null);
  const { family, words: network, firstBit, prefixBits } = parsed.cidr;
  const isIpv4 = formatIpAddress(words[0] ?? 0, words[1] ?? 0, words[2] ?? 0, words[3] ?? 0).includes('.');
  if (isIpv4 !== (family === 'ipv4')) return false;
  const bits = (of: Uint32Array): string => [...of].map((word) => word.toString(2).padStart(32, '0')).join('');
  const from = (of: Uint32Array): string => bits(of).slice(firstBit, firstBit + prefixBits);
  return from(network) === from(words);
}
