import { setTimeout as delay } from 'node:timers/promises';
import { loadMatcher } from '../adapters/outbound/matchers/load-matcher.js';
import type { ClientMatcher } from '../domain/rules/rule-client.js';
import type { CompiledRule, MatcherSource } from '../domain/rules/rules-region.js';

/** The primary has loaded the file in less. */
const LONGEST_LOAD_MS = 10_000;
/** Until the next try after a failure, doubled with each in a row. */
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 600_000;

type Schedule = (action: () => void, delayMs: number) => () => void;

interface Loaded {
  /** Undefined while it cannot be loaded. */
  matcher: ClientMatcher | undefined;
}

/** The functions of custom rules that this worker has loaded. */
export class CustomMatchers {
  /** By file, revision and config. */
  #loaded = new Map<string, Loaded>();
  readonly #onFailure: (rule: CompiledRule, reason: unknown) => void;
  readonly #schedule: Schedule;

  constructor(onFailure: (rule: CompiledRule, reason: unknown) => void, schedule: Schedule) {
    this.#onFailure = onFailure;
    this.#schedule = schedule;
  }

  /** Whether all of these rules' functions are there, or are tried again later. */
  has(rules: readonly CompiledRule[]): boolean {
    return rules.every(({ matcher }) => matcher === null || this.#loaded.has(keyOf(matcher)));
  }

  /** Loads what is missing. Never rejects: a rule matches nobody until its function can be loaded. */
  async load(rules: readonly CompiledRule[]): Promise<void> {
    for (const rule of rules) {
      const { matcher } = rule;
      if (matcher === null || this.#loaded.has(keyOf(matcher))) continue;
      const loaded = { matcher: await this.#loadOne(rule, matcher, 0) };
      this.#loaded.set(keyOf(matcher), loaded);
      if (loaded.matcher === undefined) this.#retryLater(rule, matcher, loaded, 1);
    }
  }

  /** Forgets all that none of these rules has. */
  keepOnly(rules: readonly CompiledRule[]): void {
    const keys = new Set(rules.flatMap(({ matcher }) => (matcher === null ? [] : [keyOf(matcher)])));
    this.#loaded = new Map([...this.#loaded].filter(([key]) => keys.has(key)));
  }

  /** Whoever has it need not ask again: it begins to match once it is there. */
  of({ matcher }: CompiledRule): ClientMatcher | undefined {
    const loaded = matcher === null ? undefined : this.#loaded.get(keyOf(matcher));
    return loaded === undefined ? undefined : (loaded.matcher ?? ((client) => loaded.matcher?.(client) ?? false));
  }

  /** What failed may have been a file that was being moved, or a machine out of descriptors or out of breath. */
  #retryLater(rule: CompiledRule, source: MatcherSource, loaded: Loaded, attempt: number): void {
    const delayMs = Math.min(FIRST_RETRY_MS * 2 ** (attempt - 1), LONGEST_RETRY_MS);
    this.#schedule(() => void this.#retry(rule, source, loaded, attempt), delayMs);
  }

  async #retry(rule: CompiledRule, source: MatcherSource, loaded: Loaded, attempt: number): Promise<void> {
    // No rule has it any more.
    if (this.#loaded.get(keyOf(source)) !== loaded) return;
    loaded.matcher = await this.#loadOne(rule, source, attempt);
    if (loaded.matcher === undefined) this.#retryLater(rule, source, loaded, attempt + 1);
  }

  async #loadOne(rule: CompiledRule, source: MatcherSource, attempt: number): Promise<ClientMatcher | undefined> {
    const end = new AbortController();
    try {
      const tooLate = delay(LONGEST_LOAD_MS, undefined, { ref: false, signal: end.signal }).then(() => {
        throw new Error(`${source.file} does not end loading`);
      });
      return await Promise.race([loadMatcher(source, attempt), tooLate]);
    } catch (error) {
      this.#onFailure(rule, error);
      return undefined;
    } finally {
      end.abort();
    }
  }
}

function keyOf({ file, revision, config }: MatcherSource): string {
  return JSON.stringify([file, revision, config]);
}
