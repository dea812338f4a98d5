import type { RouteBatch } from '../application/route-batch.js';
import { readRules, type CompiledRule, type RulesText } from '../domain/rules/rules-region.js';
import { RulesTable } from '../domain/rules/rules-table.js';
import type { ControlRegion } from '../domain/shared/control-region.js';
import { WORKER } from '../domain/shared/layout.js';
import { CustomMatchers } from './custom-matchers.js';
import { FailureReports, type MatcherFailure } from './failure-reports.js';
import { scheduleInBackground } from './schedule.js';

export interface WorkerRulesParts {
  readonly batch: Pick<RouteBatch, 'useRules'>;
  readonly requests: Int32Array;
  readonly names: Uint8Array;
  readonly region: ControlRegion;
  readonly workerIndex: number;
  /** To the primary, which has the log. */
  readonly tellFailure: (failure: MatcherFailure) => void;
  /** The region of the rules before is used no more. */
  readonly onReplaced: () => void;
}

/** The rules that this worker chooses by. */
export class WorkerRules {
  readonly #parts: WorkerRulesParts;
  readonly #matchers: CustomMatchers;
  readonly #failures: FailureReports;
  /** The newest that came, taken or not yet. */
  #newest = 0;

  constructor(parts: WorkerRulesParts) {
    this.#parts = parts;
    this.#failures = new FailureReports(parts.tellFailure, scheduleInBackground);
    this.#matchers = new CustomMatchers((rule, reason) => this.#fail(rule, reason), scheduleInBackground);
  }

  /** Takes other rules from the next batch on, or from when the functions are loaded that are new in them. */
  take(mapped: SharedArrayBuffer): void {
    const { version, text } = readRules(mapped);
    this.#newest = version;
    // At once where that can be: clients may stand behind the region in the channel.
    if (this.#matchers.has(text.rules)) this.#use(mapped, version, text);
    else void this.#loadAndUse(mapped, version, text);
  }

  async #loadAndUse(mapped: SharedArrayBuffer, version: number, text: RulesText): Promise<void> {
    await this.#matchers.load(text.rules);
    if (this.#newest === version) this.#use(mapped, version, text);
  }

  #use(mapped: SharedArrayBuffer, version: number, text: RulesText): void {
    const { batch, requests, names, region, workerIndex, onReplaced } = this.#parts;
    const matcherOf = (rule: CompiledRule): ReturnType<CustomMatchers['of']> => this.#matchers.of(rule);
    const onFailure = (rule: CompiledRule, reason: unknown): void => this.#fail(rule, reason);
    const table = new RulesTable(mapped, text, { requests, names, matcherOf, onFailure });
    batch.useRules(text.rules.length === 0 ? null : table);
    this.#matchers.keepOnly(text.rules);
    // Between two batches: from here on nothing is chosen by the rules before.
    Atomics.store(region.words, region.workerAt(workerIndex) + WORKER.RULES, version);
    onReplaced();
  }

  #fail({ name }: CompiledRule, reason: unknown): void {
    // Whatever was thrown: an object whose toString throws is no reason to end the worker.
    const text = reason instanceof Error ? reason.message : typeof reason;
    this.#failures.note({ rule: name, reason: text.slice(0, 200), failures: 1 });
  }
}
