/**
 * The price of rules: which of them a client is for, with networks of a thousand rules or a thousand networks of one, and
 * with server names. Whole batches of 256 are timed; clients come from all over IPv4, one in eight from a network of a rule.
 *
 * By hand: npx tsx rule-match.bench.ts        for the bench: … --json
 */
import { bench, run } from 'mitata';
import type { Decision } from './src/works/micro-benchmark.js';
import { compileRules } from '../src/domain/rules/compile-rules.js';
import type { MatcherConfig } from '../src/domain/rules/matcher-config.js';
import type { MatchedRule } from '../src/domain/rules/rule-programs.js';
import { readRules, type CompiledRule } from '../src/domain/rules/rules-region.js';
import { RulesTable } from '../src/domain/rules/rules-table.js';
import { BATCH_CAPACITY, NAME_BYTES, REQUEST, REQUEST_FLAG, REQUEST_WORDS } from '../src/domain/shared/batch-layout.js';

const CLIENTS = 65_536;
const NETWORKS = 1000;
const MAPPED_IPV4 = 0xffff;
const LISTENERS = [{ id: 0, name: 'all', protocol: 'tcp' as const, port: 80 }];

function spread(index: number): number {
  let word = Math.imul(index, 0x9e3779b1);
  word = Math.imul(word ^ (word >>> 15), 0x85ebca6b);
  return word ^ (word >>> 13);
}

function networkAt(index: number): string {
  const word = spread(index) >>> 8;
  return `${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}.0/24`;
}

function networks(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => networkAt(from + index));
}

function rulesOf(matchers: readonly MatcherConfig[]): MatchedRule[] {
  return matchers.map((matcher, index) => ({ name: `r${index}`, protocol: 'tcp', matcher }));
}

/** Returns a function that matches the next 256 clients. */
function matching(matchers: readonly MatcherConfig[]): () => number {
  const rules = rulesOf(matchers);
  const requests = new Int32Array(BATCH_CAPACITY * REQUEST_WORDS);
  const names = new Uint8Array(BATCH_CAPACITY * NAME_BYTES);
  const compiled = rules.map(({ name }, index): CompiledRule => {
    const router = { plugin: 'round_robin', options: {}, hasAffinity: false };
    return { name, number: index + 1, pool: index + 1, ...router, matcher: null };
  });
  const bytes = compileRules(1, rules, compiled, LISTENERS);
  const region = new SharedArrayBuffer(bytes.length);
  new Uint8Array(region).set(bytes);
  const { text } = readRules(region);
  const table = new RulesTable(region, text, {
    requests,
    names,
    matcherOf: () => undefined,
    onFailure: () => undefined,
  });
  for (let index = 0; index < BATCH_CAPACITY; index++) {
    const request = index * REQUEST_WORDS;
    const name = new TextEncoder().encode(`host${index % 2000}.example.com`);
    requests[request + REQUEST.ADDRESS + 2] = MAPPED_IPV4;
    requests[request + REQUEST.FLAGS] = REQUEST_FLAG.TLS;
    requests[request + REQUEST.NAME_LENGTH] = name.length;
    names.set(name, index * NAME_BYTES);
  }
  const clients = Int32Array.from({ length: CLIENTS }, (_, index) => {
    return index % 8 === 0 ? spread(index % NETWORKS) & ~255 : spread(index + NETWORKS);
  });
  let next = 0;
  return () => {
    if (next === CLIENTS) next = 0;
    for (let index = 0; index < BATCH_CAPACITY; index++)
      requests[index * REQUEST_WORDS + REQUEST.ADDRESS + 3] = clients[next++] ?? 0;
    let sum = 0;
    for (let index = 0; index < BATCH_CAPACITY; index++) sum += table.match(index * REQUEST_WORDS);
    return sum;
  };
}

const CASES: readonly (readonly [string, readonly MatcherConfig[]])[] = [
  ['no rule', []],
  ['1 rule, 1,000 networks', [{ type: 'source_ip', cidrs: networks(0, NETWORKS) }]],
  [
    '1,000 rules, 1 network each',
    networks(0, NETWORKS).map((cidr): MatcherConfig => ({ type: 'source_ip', cidrs: [cidr] })),
  ],
  ['100,000 networks', [{ type: 'source_ip', cidrs: networks(0, 100_000) }]],
  [
    '1,000 names',
    Array.from({ length: 1000 }, (_, index): MatcherConfig => {
      return { type: 'sni', names: [`host${index * 2}.example.com`], alpn: [] };
    }),
  ],
];

for (const [name, matchers] of CASES) bench(name, matching(matchers));
const { benchmarks } = await run({ format: 'quiet' });
const decisions = benchmarks.map(({ alias, runs }): Decision => {
  const stats = runs[0]?.stats;
  if (stats === undefined) throw new Error(`${alias} failed`);
  return { name: alias, p50Us: stats.p50 / 1e3 / BATCH_CAPACITY, averageUs: stats.avg / 1e3 / BATCH_CAPACITY };
});
const lines = decisions.map(
  ({ name, p50Us, averageUs }) => `${name}: p50 ${p50Us.toFixed(3)} µs, average ${averageUs.toFixed(3)} µs`,
);
process.stdout.write(`${process.argv.includes('--json') ? JSON.stringify(decisions) : lines.join('\n')}\n`);
