/**
 * Rules in force: compiled by the primary, given to every worker, and changed without a moment in which a worker has a rule
 * whose backends it does not know.
 *
 *     publish old and new backends ──► send the rules ──► every worker has them ──► publish the new backends alone
 *
 * A worker that takes its time, or none at all, holds back the last step alone: backends of rules that are gone stay in the
 * routing table, where only those rules would choose them. One that dies has nothing, and its successor gets the rules before
 * its first client.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { NATIVE_REGION_KIND, type NativeAddon } from '../adapters/outbound/native/native-addon.js';
import type { CountedRule } from '../application/metrics/proxy-metrics.js';
import type { Logger } from '../application/ports/logger.js';
import type { MatcherConfig, RuleConfig } from '../application/rule-config.js';
import { checkRuleBounds, compileRules } from '../domain/rules/compile-rules.js';
import { RuleNumbers } from '../domain/rules/rule-numbers.js';
import type { RuleListener } from '../domain/rules/rule-programs.js';
import type { CompiledRule, MatcherSource } from '../domain/rules/rules-region.js';
import { rulesError } from '../domain/rules/rules-error.js';
import type { ControlRegion } from '../domain/shared/control-region.js';
import { WORKER } from '../domain/shared/layout.js';
import { mergePools, NO_POOLS, type PoolMembers } from '../domain/shared/pool-members.js';
import type { SentRegion } from './worker-regions.js';
import type { WorkerSupervisor } from './worker-supervisor.js';

const LOOK_MS = 10;
const PATIENCE_MS = 1000;

export interface RulesServiceParts {
  readonly native: NativeAddon;
  readonly logger: Logger;
  readonly region: ControlRegion;
  readonly supervisor: WorkerSupervisor;
  /** Publishes the routing table once more with these pools, where there is one. */
  readonly usePools: (pools: PoolMembers) => void;
}

/** Compiled and in a region, but not sent to anybody. */
interface PreparedRules {
  readonly fingerprint: string;
  readonly version: number;
  readonly compiled: readonly CompiledRule[];
  readonly counted: readonly CountedRule[];
  readonly pools: PoolMembers;
  readonly region: SentRegion;
  /** Without those that only these rules have. */
  readonly numbersBefore: ReadonlySet<number>;
}

export class RulesService {
  readonly #parts: RulesServiceParts;
  readonly #numbers: RuleNumbers;
  /** What the workers have, or are being given: nothing, as at the start. */
  #fingerprint = fingerprintOf([], []);
  #version = 0;
  #pools = NO_POOLS;
  #compiled: readonly CompiledRule[] = [];
  #counted: readonly CountedRule[] = [];
  #prepared: PreparedRules | null = null;
  /** With those of rules that a worker may still have. */
  #publishedPools = NO_POOLS;
  #timer: NodeJS.Timeout | null = null;

  constructor(parts: RulesServiceParts) {
    this.#parts = parts;
    this.#numbers = new RuleNumbers(parts.region);
  }

  /** In force, each with the number that it counts under. */
  get counted(): readonly CountedRule[] {
    return this.#counted;
  }

  /** Whether a worker that has been sent everything chooses by these rules, or will when it takes its first client. */
  has(workerIndex: number): boolean {
    return !this.#compiled.some(({ matcher }) => matcher !== null) || this.#isTakenBy(workerIndex);
  }

  /** Throws EP_RULES where there are more than can be used. */
  check(rules: readonly RuleConfig[]): void {
    checkRuleBounds(rules);
    const own = rules.reduce((sum, { target }) => sum + ('backends' in target ? target.backends.length : 0), 0);
    const most = this.#parts.region.capacity.backends;
    if (own > most) throw rulesError(`they have ${own} backends; EDGEPROXY_MAX_BACKENDS allows ${most}`);
  }

  /**
   * Does all of use() that can fail, for other rules or other listeners; use() or discard() follows. Throws EP_RULES, or
   * what createRegion() throws; nothing has changed then.
   */
  prepare(rules: readonly RuleConfig[], listeners: readonly RuleListener[]): void {
    this.discard();
    const fingerprint = fingerprintOf(rules, listeners);
    if (fingerprint === this.#fingerprint) return;
    const numbersBefore = this.#numbers.used;
    try {
      this.#prepared = { ...this.#compile(rules, listeners), fingerprint, numbersBefore };
    } catch (error) {
      this.#numbers.keepOnly(numbersBefore);
      throw error;
    }
  }

  /** Forgets what was prepared; idempotent. */
  discard(): void {
    if (this.#prepared === null) return;
    this.#prepared.region.close();
    this.#numbers.keepOnly(this.#prepared.numbersBefore);
    this.#prepared = null;
  }

  /** Takes what was prepared into force; resolves when all workers choose by it. One that takes its time is not waited for. */
  async use(): Promise<void> {
    if (this.#prepared === null) return;
    this.#take(this.#prepared);
    if (this.#settle()) return;
    this.#timer ??= setInterval(() => {
      if (this.#settle()) this.stop();
    }, LOOK_MS);
    for (let waitedMs = 0; waitedMs < PATIENCE_MS && !this.#isTaken(); waitedMs += LOOK_MS) await delay(LOOK_MS);
  }

  /** The drain begins. Idempotent. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #compile(
    rules: readonly RuleConfig[],
    listeners: readonly RuleListener[],
  ): Omit<PreparedRules, 'fingerprint' | 'numbersBefore'> {
    const compiled = rules.map((rule) => this.#compiledRule(rule));
    const version = this.#version + 1;
    const counted = rules.map(({ name, router }, index) => {
      return { rule: name, router: router.name, number: compiled[index]?.number ?? 0 };
    });
    const pools = poolsOf(rules, compiled);
    const region = this.#regionOf(compileRules(version, rules, compiled, listeners));
    return { version, compiled, counted, pools, region };
  }

  #take({ fingerprint, version, compiled, counted, pools, region }: PreparedRules): void {
    // Before the rules that choose from them.
    this.#publish(mergePools(this.#publishedPools, pools));
    this.#prepared = null;
    this.#parts.supervisor.regions.use(NATIVE_REGION_KIND.RULES, region);
    this.#fingerprint = fingerprint;
    this.#version = version;
    this.#compiled = compiled;
    this.#counted = counted;
    this.#pools = pools;
    this.#parts.logger.info({ rules: compiled.length, version }, 'rules in force');
  }

  #compiledRule({ name, matcher, router, target }: RuleConfig): CompiledRule {
    const number = this.#numbers.ofRule(name);
    const pool = 'app' in target ? this.#numbers.ofApp(target.app) : number;
    const { plugin, options, hasAffinity } = router;
    return { name, number, pool, plugin, options, hasAffinity, matcher: sourceOf(matcher) };
  }

  #publish(pools: PoolMembers): void {
    this.#parts.usePools(pools);
    this.#publishedPools = pools;
  }

  #regionOf(bytes: Uint8Array): SentRegion {
    const { native } = this.#parts;
    const { fd, buffer } = native.createRegion('edgeproxy-rules', bytes.length);
    new Uint8Array(buffer).set(bytes);
    return { fd, close: () => native.closeFd(fd) };
  }

  /** Lets go of what only older rules need, once no worker has them; false where one still may. */
  #settle(): boolean {
    if (!this.#isTaken()) return false;
    if (this.#publishedPools !== this.#pools) this.#publish(this.#pools);
    this.#parts.logger.debug({ version: this.#version }, 'every worker chooses by the rules');
    const known = [...this.#compiled, ...(this.#prepared?.compiled ?? [])];
    this.#numbers.keepOnly(new Set(known.flatMap(({ number, pool }) => [number, pool])));
    return true;
  }

  #isTaken(): boolean {
    return this.#parts.supervisor.lives.every(({ index, isAdmitted }) => !isAdmitted || this.#isTakenBy(index));
  }

  #isTakenBy(workerIndex: number): boolean {
    const { words } = this.#parts.region;
    // Stored by the worker once it chooses by these rules alone: whatever is published after this is no older than them.
    return Atomics.load(words, this.#parts.region.workerAt(workerIndex) + WORKER.RULES) === this.#version;
  }
}

function sourceOf(matcher: MatcherConfig): MatcherSource | null {
  if (matcher.type !== 'custom') return null;
  const { file, revision, config } = matcher;
  return { file, revision, config };
}

function poolsOf(rules: readonly RuleConfig[], compiled: readonly CompiledRule[]): PoolMembers {
  const apps = new Map<string, number>();
  const inline = rules.flatMap(({ name, target }, index) => {
    const pool = compiled[index]?.pool ?? 0;
    if ('app' in target) apps.set(target.app, pool);
    return 'app' in target
      ? []
      : target.backends.map((backend) => ({ backend: { ...backend, id: `${name}/${backend.id}` }, pool }));
  });
  return { inline, apps };
}

function fingerprintOf(rules: readonly RuleConfig[], listeners: readonly RuleListener[]): string {
  return JSON.stringify(rules.length === 0 ? [] : [rules, listeners]);
}
