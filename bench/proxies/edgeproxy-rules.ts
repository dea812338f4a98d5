/**
 * This proxy with a thousand networks in its rules, in one rule or in a thousand. They are nearly all of the addresses that the
 * load comes from, so that nearly every client is looked up to the end and goes to a rule's own backend.
 */
import type { ProxyDefinition } from '../src/model.js';
import { filteredFile, type Ends, type RuleText } from './edgeproxy-files.js';
import { edgeproxyWith } from './edgeproxy.js';

const NETWORKS = 1_000;
const WORKS = ['rules'];

/** /24 networks of 127.16.0.0/14. */
const networks = Array.from({ length: NETWORKS }, (_, index) => `127.${16 + (index >> 8)}.${index & 0xff}.0/24`);

function sourceRule(name: string, cidrs: readonly string[]): RuleText {
  return { name, matcher: ['type = "source_ip"', `cidr = [${cidrs.map((cidr) => `"${cidr}"`).join(', ')}]`] };
}

function flavour(name: string, summary: string, config: (ends: Ends) => string): ProxyDefinition {
  return edgeproxyWith('reuseport', { name: `edgeproxy-${name}`, summary, works: WORKS, config });
}

export const edgeproxyRules: readonly ProxyDefinition[] = [
  flavour('rules-none', 'this proxy, --accept reuseport, no rules', (ends) => filteredFile(ends, [])),
  flavour('rules-1x1000', 'this proxy, --accept reuseport, one rule with 1,000 networks', (ends) =>
    filteredFile(ends, [sourceRule('all', networks)]),
  ),
  flavour('rules-1000x1', 'this proxy, --accept reuseport, 1,000 rules with one network each', (ends) =>
    filteredFile(
      ends,
      networks.map((cidr, index) => sourceRule(`net-${index}`, [cidr])),
    ),
  ),
];
