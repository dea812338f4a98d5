/** Compiles rules and listeners into the region that workers match clients by (rules-region.ts), within bounds. */
import { EdgeproxyError } from '../edgeproxy-error.js';
import { buildNetworkTrie } from './network-trie.js';
import { planRules, type MatchedRule, type RuleListener } from './rule-programs.js';
import { packRules, type CompiledRule } from './rules-region.js';
import { rulesError } from './rules-error.js';

export const MAX_RULES = 1000;
/** Of all rules together. */
export const MAX_RULE_NETWORKS = 100_000;
export const MAX_RULE_NAMES = 100_000;
/** As of the access lists; a hundred thousand IPv6 addresses that have nothing in common take 180 MB. */
const MOST_TRIE_BYTES = 2 ** 29;

/** Throws EP_RULES where there is more than can be looked up in reasonable time and memory. */
export function checkRuleBounds(rules: readonly MatchedRule[]): void {
  if (rules.length > MAX_RULES) throw rulesError(`there are ${rules.length}; at most ${MAX_RULES} are allowed`);
  const sumOf = (count: (rule: MatchedRule) => number): number => rules.reduce((sum, rule) => sum + count(rule), 0);
  const networks = sumOf(({ matcher }) => ('cidrs' in matcher ? matcher.cidrs.length : 0));
  if (networks > MAX_RULE_NETWORKS) {
    throw rulesError(`they have ${networks} networks; at most ${MAX_RULE_NETWORKS} are allowed`);
  }
  const names = sumOf(({ matcher }) => ('names' in matcher ? matcher.names.length : 0));
  if (names > MAX_RULE_NAMES) throw rulesError(`they have ${names} names; at most ${MAX_RULE_NAMES} are allowed`);
}

/** The bytes of the region; `compiled` are the same rules. Throws EP_RULES. */
export function compileRules(
  version: number,
  rules: readonly MatchedRule[],
  compiled: readonly CompiledRule[],
  listeners: readonly RuleListener[],
): Uint8Array {
  checkRuleBounds(rules);
  const { programs, runs } = planRules(rules, listeners);
  let left = MOST_TRIE_BYTES;
  const tries = runs.map((run) => {
    const trie = tooLargeExplained(() => buildNetworkTrie(run, left));
    left -= trie.length;
    return trie;
  });
  return packRules(version, { rules: compiled, programs }, tries);
}

function tooLargeExplained<T>(build: () => T): T {
  try {
    return build();
  } catch (error) {
    if (!(error instanceof EdgeproxyError) || error.code !== 'EP_GEO_TOO_LARGE') throw error;
    throw rulesError(`their networks take more than ${MOST_TRIE_BYTES} bytes`);
  }
}
