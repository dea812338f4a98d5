/**
 * Rules as a region of shared memory, compiled once by the primary and looked up by every worker. Little-endian 32-bit words:
 *
 *   ┌ header   1 line    magic, format, version of the rules, where the text stands, how many tries there are
 *   ├ tries    geo regions (geo-layout.ts) whose leaves are rules, one behind the other
 *   └ text     RulesText as JSON in UTF-8: everything small, and where each trie begins
 */
import { EdgeproxyError } from '../edgeproxy-error.js';
import { WORDS_PER_LINE } from '../shared/layout.js';
import type { RulePrograms } from './rule-programs.js';

/** "EDGR" as a little-endian word. */
const MAGIC = 0x52474445;
const FORMAT = 1;
const HEADER = { MAGIC: 0, FORMAT: 1, VERSION: 2, TEXT_AT: 3, TEXT_BYTES: 4 } as const;
const HEADER_BYTES = 4 * WORDS_PER_LINE;

/** A rule as a worker uses it once it matches. */
export interface CompiledRule {
  readonly name: string;
  /** Of its line, see POOL. */
  readonly number: number;
  /** That it chooses from, see ROUTE.POOL. */
  readonly pool: number;
  readonly plugin: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly hasAffinity: boolean;
  /** Of a custom rule: which function it asks. */
  readonly matcher: MatcherSource | null;
}

/** A file whose default export makes the function of `config`. */
export interface MatcherSource {
  readonly file: string;
  /** Changes with what is in the file. */
  readonly revision: string;
  readonly config: unknown;
}

export interface RulesText {
  readonly rules: readonly CompiledRule[];
  readonly programs: RulePrograms;
  /** Byte of each trie, by the numbers that the steps have for them. */
  readonly tries: readonly number[];
}

/** The bytes of a region. `version` is not 0, which stands for none. */
export function packRules(version: number, text: Omit<RulesText, 'tries'>, tries: readonly Uint8Array[]): Uint8Array {
  const starts: number[] = [];
  let at = HEADER_BYTES;
  for (const { length } of tries) {
    starts.push(at);
    at += length;
  }
  const encoded = new TextEncoder().encode(JSON.stringify({ ...text, tries: starts } satisfies RulesText));
  const bytes = new Uint8Array(at + encoded.length);
  const header = new Int32Array(bytes.buffer, 0, WORDS_PER_LINE);
  header[HEADER.MAGIC] = MAGIC;
  header[HEADER.FORMAT] = FORMAT;
  header[HEADER.VERSION] = version;
  header[HEADER.TEXT_AT] = at;
  header[HEADER.TEXT_BYTES] = encoded.length;
  for (const [index, trie] of tries.entries()) bytes.set(trie, starts[index] ?? 0);
  bytes.set(encoded, at);
  return bytes;
}

/** Throws EP_RULES_REGION where the bytes are not rules of this build. */
export function readRules(region: SharedArrayBuffer): { readonly version: number; readonly text: RulesText } {
  if (region.byteLength < HEADER_BYTES) throw regionError(`${region.byteLength} bytes`);
  const header = new Int32Array(region, 0, WORDS_PER_LINE);
  const word = (at: number): number => header[at] ?? 0;
  if (word(HEADER.MAGIC) !== MAGIC || word(HEADER.FORMAT) !== FORMAT) throw regionError('another magic or format');
  const [textAt, textBytes] = [word(HEADER.TEXT_AT), word(HEADER.TEXT_BYTES)];
  if (textAt < 0 || textBytes < 0 || textAt + textBytes > region.byteLength) throw regionError('a text beyond its end');
  // A copy, as shared memory is not decoded.
  const bytes = new Uint8Array(region, textAt, textBytes).slice();
  return { version: word(HEADER.VERSION), text: JSON.parse(new TextDecoder().decode(bytes)) as RulesText };
}

function regionError(found: string): EdgeproxyError {
  return new EdgeproxyError('EP_RULES_REGION', `rules: found ${found} instead of a region of this build`, {
    source: 'internal',
  });
}
