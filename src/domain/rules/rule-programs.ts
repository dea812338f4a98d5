/**
 * Rules as they are matched: for each protocol a program, the same for all of its listeners.
 *
 *     rules     0 source_ip   1 source_ip   2 port 80   3 sni   4 sni   5 source_ip   6 any
 *     program   └──────── networks ───────┴── … ────┴── names ──┴── networks ──┘
 *     listener  of port 80: end 2, else 6
 *
 * What a listener decides (protocol, port) is no step. Its first rule that every client of it matches is its `end`: what
 * the steps find at or beyond it is not reached. Consecutive rules that ask the same of a client are one step, in which the
 * first of them that matches is found at once; so a step's rules are all before those of the next.
 *
 * These are plain values: they travel as JSON. Of a step of networks the trie is beside it in the region (rules-region.ts).
 */
import type { MatcherConfig } from './matcher-config.js';

export type RuleProtocol = 'tcp' | 'udp';

/** What matching has to know of a rule. */
export interface MatchedRule {
  readonly name: string;
  readonly protocol: RuleProtocol | 'both';
  readonly matcher: MatcherConfig;
}

export interface RuleListener {
  readonly id: number;
  readonly name: string;
  readonly protocol: RuleProtocol;
  /** The one that clients connect to, also where the kernel chose it. */
  readonly port: number;
}

export interface NamedRule {
  readonly rule: number;
  readonly names: readonly string[];
  readonly alpn: readonly string[];
}

export type RuleStep =
  | { readonly kind: 'source' | 'destination'; readonly first: number; readonly trie: number }
  | { readonly kind: 'names'; readonly first: number; readonly rules: readonly NamedRule[] }
  | { readonly kind: 'custom'; readonly first: number };

export interface ListenerProgram extends RuleListener {
  /** The number of rules where there is none. */
  readonly end: number;
}

export interface RulePrograms {
  readonly tcp: readonly RuleStep[];
  readonly udp: readonly RuleStep[];
  readonly listeners: readonly ListenerProgram[];
}

/** The networks of consecutive rules, one trie. */
export interface NetworkRun {
  readonly rules: readonly { readonly rule: number; readonly cidrs: readonly string[] }[];
}

type ConditionalRule = { readonly rule: number; readonly matcher: MatcherConfig };
/** What decides rules before any client comes. */
type ListenerFacts = Pick<RuleListener, 'protocol' | 'port'>;
type StepKind = RuleStep['kind'];

/** The programs and, by the numbers that their steps have for them, the runs to make tries of. */
export function planRules(
  rules: readonly MatchedRule[],
  listeners: readonly RuleListener[],
): { readonly programs: RulePrograms; readonly runs: readonly NetworkRun[] } {
  const runs = new RunList();
  const steps = (protocol: RuleProtocol): readonly RuleStep[] =>
    listeners.some((listener) => listener.protocol === protocol) ? stepsOf(rules, protocol, runs) : [];
  const programs = { tcp: steps('tcp'), udp: steps('udp'), listeners: listeners.map((it) => programOf(rules, it)) };
  return { programs, runs: runs.all };
}

/** Those that a client of the listener may be for: what its protocol and port decide is decided. */
export function reachableRules<Rule extends MatchedRule>(rules: readonly Rule[], listener: ListenerFacts): Rule[] {
  const end = endOf(rules, listener);
  return rules.filter((rule, index) => {
    return index === end || (index < end && kindOf(rule, listener.protocol) !== null);
  });
}

function programOf(rules: readonly MatchedRule[], listener: RuleListener): ListenerProgram {
  const { id, name, protocol, port } = listener;
  return { id, name, protocol, port, end: endOf(rules, listener) };
}

/** The first rule that all clients of the listener match; the number of rules where there is none. */
function endOf(rules: readonly MatchedRule[], listener: ListenerFacts): number {
  const end = rules.findIndex((rule) => isFor(rule, listener.protocol) && isMatchedByAll(rule.matcher, listener));
  return end < 0 ? rules.length : end;
}

function isFor(rule: MatchedRule, protocol: RuleProtocol): boolean {
  return rule.protocol === 'both' || rule.protocol === protocol;
}

function isMatchedByAll(matcher: MatcherConfig, { port }: ListenerFacts): boolean {
  if (matcher.type === 'any') return true;
  if (matcher.type === 'port') return matcher.port === port;
  return matcher.type === 'port_range' && matcher.start <= port && port <= matcher.end;
}

function stepsOf(rules: readonly MatchedRule[], protocol: RuleProtocol, runs: RunList): RuleStep[] {
  const steps: RuleStep[] = [];
  const conditional = rules.flatMap((rule, index): { kind: StepKind; it: ConditionalRule }[] => {
    const kind = kindOf(rule, protocol);
    return kind === null ? [] : [{ kind, it: { rule: index, matcher: rule.matcher } }];
  });
  for (let from = 0; from < conditional.length;) {
    const kind = conditional[from]?.kind ?? 'custom';
    let to = from + 1;
    while (kind !== 'custom' && conditional[to]?.kind === kind) to++;
    steps.push(
      stepOf(
        kind,
        conditional.slice(from, to).map(({ it }) => it),
        runs,
      ),
    );
    from = to;
  }
  return steps;
}

/** Null where the listener decides, or where no client can match. */
function kindOf(rule: MatchedRule, protocol: RuleProtocol): StepKind | null {
  const { type } = rule.matcher;
  if (!isFor(rule, protocol)) return null;
  if (type === 'source_ip') return 'source';
  if (type === 'destination_ip') return 'destination';
  if (type === 'custom') return 'custom';
  return type === 'sni' && protocol === 'tcp' ? 'names' : null;
}

function stepOf(kind: StepKind, rules: readonly ConditionalRule[], runs: RunList): RuleStep {
  const first = rules[0]?.rule ?? 0;
  if (kind === 'custom') return { kind, first };
  if (kind === 'names') return { kind, first, rules: rules.flatMap(namedRule) };
  return { kind, first, trie: runs.numberOf(rules) };
}

function namedRule({ rule, matcher }: ConditionalRule): NamedRule[] {
  return matcher.type === 'sni' ? [{ rule, names: matcher.names, alpn: matcher.alpn }] : [];
}

/** Each run once: TCP and UDP mostly have the same. */
class RunList {
  readonly all: NetworkRun[] = [];
  readonly #numbers = new Map<string, number>();

  numberOf(rules: readonly ConditionalRule[]): number {
    const key = rules.map(({ rule }) => rule).join();
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#numbers.set(key, this.all.length);
    const networks = rules.map(({ rule, matcher }) => ({ rule, cidrs: 'cidrs' in matcher ? matcher.cidrs : [] }));
    return this.all.push({ rules: networks }) - 1;
  }
}
