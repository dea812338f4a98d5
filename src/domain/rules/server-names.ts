/**
 * Consecutive sni rules as maps: from a name, and from each suffix that has a wildcard, to the rules that ask for it. Of those
 * the first wins whose protocols fit, too, so a look-up asks for the name, for its suffixes and for "any" and takes the
 * lowest.
 */
import { ALPN_AT, NAME_BYTES, REQUEST, REQUEST_FLAG, REQUEST_WORDS } from '../shared/batch-layout.js';
import type { NamedRule } from './rule-programs.js';

/** Rules in their order, each with the protocols of which it wants one; none = it wants none. */
type Candidates = { readonly rule: number; readonly alpn: readonly string[] }[];

const WILDCARD = '*.';
const ANY_NAME = '*';
const DOT = '.';

export class ServerNames {
  readonly #exact = new Map<string, Candidates>();
  /** By what comes after the `*.`. */
  readonly #suffixes = new Map<string, Candidates>();
  /** Of every client with TLS. */
  readonly #any: Candidates = [];

  constructor(rules: readonly NamedRule[]) {
    for (const { rule, names, alpn } of rules) {
      for (const name of names) this.#candidatesOf(name).push({ rule, alpn });
      if (names.length === 0) this.#any.push({ rule, alpn });
    }
  }

  /** The first rule that fits the client of a request, or -1. */
  match(requests: Int32Array, names: Uint8Array, request: number): number {
    if (((requests[request + REQUEST.FLAGS] ?? 0) & REQUEST_FLAG.TLS) === 0) return -1;
    const from = (request / REQUEST_WORDS) * NAME_BYTES;
    const name = textOf(names, from, Math.min(requests[request + REQUEST.NAME_LENGTH] ?? 0, ALPN_AT));
    const alpnBytes = Math.min(requests[request + REQUEST.ALPN_LENGTH] ?? 0, NAME_BYTES - ALPN_AT);
    const offered = protocolsOf(names, from + ALPN_AT, alpnBytes);
    let lowest = lowerOf(Infinity, this.#any, offered);
    lowest = lowerOf(lowest, this.#exact.get(name), offered);
    if (this.#suffixes.size > 0) lowest = this.#lowestSuffix(lowest, name, offered);
    return lowest === Infinity ? -1 : lowest;
  }

  #lowestSuffix(above: number, name: string, offered: readonly string[]): number {
    let lowest = above;
    for (let dot = name.indexOf(DOT); dot >= 0; dot = name.indexOf(DOT, dot + 1)) {
      lowest = lowerOf(lowest, this.#suffixes.get(name.slice(dot + 1)), offered);
    }
    return lowest;
  }

  #candidatesOf(name: string): Candidates {
    if (name === ANY_NAME) return this.#any;
    const isWildcard = name.startsWith(WILDCARD);
    const map = isWildcard ? this.#suffixes : this.#exact;
    const key = isWildcard ? name.slice(WILDCARD.length) : name;
    const known = map.get(key);
    if (known !== undefined) return known;
    const candidates: Candidates = [];
    map.set(key, candidates);
    return candidates;
  }
}

/** The first of the candidates that fits, where it is below `lowest`. */
function lowerOf(lowest: number, candidates: Candidates | undefined, offered: readonly string[]): number {
  if (candidates === undefined) return lowest;
  for (const { rule, alpn } of candidates) {
    if (rule >= lowest) break;
    if (alpn.length === 0 || alpn.some((protocol) => offered.includes(protocol))) return rule;
  }
  return lowest;
}

/** One character for each byte. */
export function textOf(bytes: Uint8Array, from: number, length: number): string {
  let text = '';
  for (let at = from; at < from + length; at++) text += String.fromCharCode(bytes[at] ?? 0);
  return text;
}

/** Each stands behind a byte with its length. */
export function protocolsOf(bytes: Uint8Array, from: number, length: number): string[] {
  const protocols: string[] = [];
  const end = from + length;
  for (let at = from; at < end;) {
    const chars = bytes[at++] ?? 0;
    protocols.push(textOf(bytes, at, Math.min(chars, end - at)));
    at += chars;
  }
  return protocols;
}
