import { parseIpAddress } from '../../src/domain/ip-address.js';
import { compileRules } from '../../src/domain/rules/compile-rules.js';
import type { MatcherConfig } from '../../src/domain/rules/matcher-config.js';
import type { ClientMatcher } from '../../src/domain/rules/rule-client.js';
import type { MatchedRule, RuleListener } from '../../src/domain/rules/rule-programs.js';
import { readRules, type CompiledRule } from '../../src/domain/rules/rules-region.js';
import { RulesTable } from '../../src/domain/rules/rules-table.js';
import {
  ALPN_AT,
  BATCH_CAPACITY,
  NAME_BYTES,
  REQUEST,
  REQUEST_FLAG,
  REQUEST_WORDS,
} from '../../src/domain/shared/batch-layout.js';

/** Of a client: its ClientHello, too, where `isTls`. */
export interface RuleVisitor {
  readonly listener: number;
  readonly address: string;
  /** '' = not known. */
  readonly destination: string;
  readonly isTls: boolean;
  readonly serverName: string;
  readonly alpn: readonly string[];
}

export interface RulesRigOptions {
  readonly requests?: Int32Array;
  readonly names?: Uint8Array;
  readonly matcherOf?: (matcher: Extract<MatcherConfig, { type: 'custom' }>) => ClientMatcher | undefined;
  readonly compiled?: readonly CompiledRule[];
  readonly onFailure?: (rule: CompiledRule, reason: unknown) => void;
}

/** Rules as a worker has them: compiled into a region, and read from it. */
export class RulesRig {
  readonly table: RulesTable;
  /** Of the region. */
  readonly bytes: number;
  readonly requests: Int32Array;
  readonly names: Uint8Array;

  constructor(rules: readonly MatchedRule[], listeners: readonly RuleListener[], options: RulesRigOptions = {}) {
    const { requests, names, matcherOf, compiled = rules.map(compiledRule), onFailure = () => undefined } = options;
    this.requests = requests ?? new Int32Array(BATCH_CAPACITY * REQUEST_WORDS);
    this.names = names ?? new Uint8Array(BATCH_CAPACITY * NAME_BYTES);
    const bytes = compileRules(7, rules, compiled, listeners);
    this.bytes = bytes.length;
    const region = new SharedArrayBuffer(bytes.length);
    new Uint8Array(region).set(bytes);
    const functionOf = ({ number }: CompiledRule): ClientMatcher | undefined => {
      const matcher = rules[number - 1]?.matcher;
      return matcher?.type === 'custom' ? matcherOf?.(matcher) : undefined;
    };
    const { text } = readRules(region);
    const arrays = { requests: this.requests, names: this.names };
    this.table = new RulesTable(region, text, { ...arrays, matcherOf: functionOf, onFailure });
  }

  /** The index of the rule, or -1. */
  match(visitor: RuleVisitor, index = 3): number {
    const request = index * REQUEST_WORDS;
    putVisitor(this.requests, this.names, index, visitor);
    return this.table.match(request);
  }
}

export function putVisitor(requests: Int32Array, names: Uint8Array, index: number, visitor: RuleVisitor): void {
  const request = index * REQUEST_WORDS;
  requests[request + REQUEST.LISTENER] = visitor.listener;
  requests.set(wordsOf(visitor.address), request + REQUEST.ADDRESS);
  requests.set(wordsOf(visitor.destination), request + REQUEST.DESTINATION);
  const { serverName, alpn } = visitor.isTls ? visitor : { serverName: '', alpn: [] };
  requests[request + REQUEST.FLAGS] = visitor.isTls ? REQUEST_FLAG.TLS : 0;
  const alpnBytes = alpn.flatMap((protocol) => [protocol.length, ...Buffer.from(protocol)]);
  requests[request + REQUEST.NAME_LENGTH] = serverName.length;
  requests[request + REQUEST.ALPN_LENGTH] = alpnBytes.length;
  names.set(Buffer.from(serverName), index * NAME_BYTES);
  names.set(alpnBytes, index * NAME_BYTES + ALPN_AT);
}

function wordsOf(address: string): ArrayLike<number> {
  return parseIpAddress(address) ?? [0, 0, 0, 0];
}

/** With number and pool of its own, in turn. */
export function compiledRule({ name }: Pick<MatchedRule, 'name'>, index: number): CompiledRule {
  const router = { plugin: 'round_robin', options: {}, hasAffinity: false };
  return { name, number: index + 1, pool: index + 1, ...router, matcher: null };
}
