/**
 * Where the clients of rules go: the first rule that matches, a backend of its pool by its router. Beside RouteBatch, which
 * asks it only where there are rules.
 */
import { RuleLabels } from '../domain/rules/rule-labels.js';
import type { RulesTable } from '../domain/rules/rules-table.js';
import { Pool } from '../domain/routing/pool.js';
import type { Router, RouterContext } from '../domain/routing/router.js';
import { routerPlugin } from '../domain/routing/router-plugins.js';
import type { ControlRegion } from '../domain/shared/control-region.js';
import { RESPONSE_NUMBER_SHIFT, RESPONSE_RULE_SHIFT } from '../domain/shared/batch-layout.js';
import { POOL, WORDS_PER_LINE } from '../domain/shared/layout.js';
import type { RouteTable } from '../domain/shared/route-table.js';
import type { StateOverlay } from '../domain/shared/state-overlay.js';

export interface RuleRoutingOptions extends Pick<RouterContext, 'requests' | 'names' | 'countryOf' | 'random'> {
  readonly region: ControlRegion;
  readonly table: RouteTable;
  readonly overlay: StateOverlay;
}

/** A rule in this worker. */
export interface RoutedRule {
  /** Of RESPONSE.FLAGS: its label and its number. */
  readonly flags: number;
  /** Its pool's number. */
  readonly pool: number;
  readonly hasAffinity: boolean;
  readonly router: Router;
  /** Word of POOL.SELECTED; POOL.FAILED is the next. */
  readonly selectedAt: number;
}

export class RuleRouting {
  readonly #options: RuleRoutingOptions;
  readonly #labels = new RuleLabels();
  #rules: RulesTable | null = null;
  /** By the rule's index. */
  #routed: readonly RoutedRule[] = [];
  #pools = new Map<number, Pool>();
  /** Of the overlay that the pools show. */
  #version = -1;
  /** Routes of one pool while it is filled. */
  readonly #routes: Int32Array;

  constructor(options: RuleRoutingOptions) {
    this.#options = options;
    this.#routes = new Int32Array(options.table.routeOfSlot.length);
  }

  get isEmpty(): boolean {
    return this.#rules === null;
  }

  /** Of a label that a rule has had; '' of 0. */
  nameOf(label: number): string {
    return this.#labels.nameOf(label);
  }

  /** Whether there are rules and they do not say whom the clients of a request's listener are for. */
  isUnknown(request: number): boolean {
    return this.#rules?.knows(request) === false;
  }

  /** Takes other rules from the next batch on; null = none. Throws where a router cannot be made. */
  use(rules: RulesTable | null): void {
    const { table, region } = this.#options;
    const pools = new Map<number, Pool>();
    for (const { pool } of rules?.rules ?? []) {
      pools.set(pool, pools.get(pool) ?? this.#pools.get(pool) ?? new Pool(table, region.words));
    }
    this.#routed = rules?.rules.map((rule) => this.#route(rule, pools)) ?? [];
    this.#pools = pools;
    this.#rules = rules;
    this.#version = -1;
  }

  /** The rule that the client of a request is for, or null where none matches. */
  ruleFor(request: number): RoutedRule | null {
    const index = this.#rules?.match(request) ?? -1;
    return index < 0 ? null : (this.#routed[index] ?? null);
  }

  /** Has the pools show what the table and the states of the backends are now. Between two choices only. */
  refresh(): void {
    if (this.#version === this.#options.overlay.version) return;
    this.#version = this.#options.overlay.version;
    for (const [number, pool] of this.#pools) this.#refill(number, pool);
  }

  /** Counts the outcome of one choice. Over all workers, for a rule has one line. */
  count({ selectedAt }: RoutedRule, isSelected: boolean): void {
    // A total alone: nothing is ordered by it.
    Atomics.add(this.#options.region.words, selectedAt + (isSelected ? 0 : POOL.FAILED - POOL.SELECTED), 1);
  }

  #refill(number: number, pool: Pool): void {
    const { table } = this.#options;
    let count = 0;
    for (let route = table.poolFrom(number); route < table.poolTo(number); route++) {
      // What is shut has a hard limit below any load; what has no weight takes bound clients alone.
      if ((table.weight[route] ?? 0) > 0 && (table.hardLimit[route] ?? 0) > 0) this.#routes[count++] = route;
    }
    pool.refill(this.#routes, count);
  }

  #route(rule: RulesTable['rules'][number], pools: ReadonlyMap<number, Pool>): RoutedRule {
    const { region, requests, names, countryOf, random, table } = this.#options;
    const plugin = routerPlugin(rule.plugin);
    if (plugin === undefined) throw new RangeError(`rule ${rule.name}: no router "${rule.plugin}"`);
    const line = region.offsets.pools + rule.number * WORDS_PER_LINE;
    const targetPort = (request: number): number => this.#rules?.portOf(request) ?? 0;
    const shared = { words: region.words, requests, names, countryOf, targetPort, random };
    const pool = pools.get(rule.pool) ?? new Pool(table, region.words);
    const router = plugin.create({ ...shared, pool, cursorAt: line + POOL.CURSOR }, rule.options);
    const flags = (this.#labels.of(rule.name) << RESPONSE_RULE_SHIFT) | (rule.number << RESPONSE_NUMBER_SHIFT);
    return { flags, pool: rule.pool, hasAffinity: rule.hasAffinity, router, selectedAt: line + POOL.SELECTED };
  }
}
