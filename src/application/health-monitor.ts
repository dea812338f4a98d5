/**
 * Asks every backend at its interval, and tells when one goes down or comes up.
 *
 * Backends wait in one queue by the time they are due, each once: a backend whose check is under way is not in it. Where
 * more are due than may be asked at a time, those due longest come first, and checks become rarer instead of more.
 */
import { asksTheSame, exchangeOf, planCheck, type CheckPlan, type CheckSettings } from '../domain/health/check-plan.js';
import { firstDelayMs, gapMs } from '../domain/health/check-schedule.js';
import { DueQueue, type DueEntry } from '../domain/health/due-queue.js';
import { HealthState, type Thresholds } from '../domain/health/health-state.js';
import type { PublishedBackend } from '../domain/shared/routes-writer.js';
import type { Prober, ProbeOutcome } from './ports/prober.js';

/** Probes started in one turn of the loop: some milliseconds, so that whatever else there is gets its turn. */
const STARTS_PER_TURN = 32;

export interface HealthSettings extends CheckSettings {
  readonly thresholds: Thresholds;
  /** Of each attempt. */
  readonly timeoutMs: number;
  /** Of one check, at once after each other until one succeeds. */
  readonly attempts: number;
  /** Most checks at a time. */
  readonly maxProbes: number;
}

export interface HealthChange {
  readonly slot: number;
  readonly id: string;
  readonly isUp: boolean;
  readonly check: CheckPlan['type'];
  readonly reason: string;
}

export interface HealthMonitorOptions {
  readonly prober: Prober;
  readonly nowMs: () => number;
  /** 0 to 1, without 1. */
  readonly random: () => number;
  /** Runs `action` once after `delayMs`; returns what calls it off. */
  readonly schedule: (action: () => void, delayMs: number) => () => void;
  /** By its checks a backend has gone down or come up. */
  readonly onChange: (change: HealthChange) => void;
  /** A backend that was down is not checked any more. */
  readonly onForget: (slot: number) => void;
  /** A check has connected, in so much time. */
  readonly onConnect: (slot: number, connectMs: number) => void;
  /** A check could not be made, for want of what `reason` tells. */
  readonly onSkip: (reason: string) => void;
}

interface Target extends DueEntry {
  readonly slot: number;
  readonly id: string;
  plan: CheckPlan;
  readonly state: HealthState;
  startedMs: number;
  /** That have failed, of the check under way. */
  failedAttempts: number;
  /** Gives up the check under way. */
  cancel: (() => void) | null;
}

export class HealthMonitor {
  readonly #options: HealthMonitorOptions;
  readonly #targets = new Map<string, Target>();
  readonly #queue = new DueQueue<Target>();
  #settings: HealthSettings | null = null;
  #published: readonly PublishedBackend[] = [];
  #running = 0;
  #isStarted = false;
  #wakeMs = Infinity;
  #cancelWake: () => void = () => undefined;

  constructor(options: HealthMonitorOptions) {
    this.#options = options;
  }

  /** null: nobody is checked, and everybody counts as up. */
  configure(settings: HealthSettings | null): void {
    const before = this.#settings;
    this.#settings = settings;
    // Another question to all: what is known stays, and the first answer to the new one decides.
    if (before !== null && settings !== null && !isSameQuestion(before, settings)) {
      for (const target of this.#targets.values()) this.#restart(target, settings);
    }
    this.#reconcile();
  }

  useBackends(published: readonly PublishedBackend[]): void {
    this.#published = published;
    this.#reconcile();
  }

  start(): void {
    this.#isStarted = true;
    this.#reconcile();
  }

  /** For good. What is known of the backends stays in force. */
  stop(): void {
    this.#isStarted = false;
    this.#cancelWake();
    for (const target of this.#targets.values()) this.#giveUp(target);
    this.#targets.clear();
  }

  /** Makes the targets those that are published now. */
  #reconcile(): void {
    if (!this.#isStarted) return;
    const settings = this.#settings;
    const wanted = new Map<string, PublishedBackend>();
    const isChecked = ({ backend }: PublishedBackend): boolean => backend.isUnchecked !== true;
    if (settings !== null) for (const it of this.#published.filter(isChecked)) wanted.set(it.backend.id, it);
    for (const target of this.#targets.values()) {
      if (wanted.get(target.id)?.slot !== target.slot) this.#forget(target);
    }
    if (settings !== null) this.#adopt([...wanted.values()], settings);
    this.#wake();
  }

  #adopt(wanted: readonly PublishedBackend[], settings: HealthSettings): void {
    const added = wanted.length - this.#targets.size;
    for (const { slot, backend } of wanted) {
      const plan = planCheck(backend, settings);
      const known = this.#targets.get(backend.id);
      if (known !== undefined) this.#replan(known, plan, settings);
      else this.#add({ slot, id: backend.id, plan }, added);
    }
  }

  #add(about: Pick<Target, 'slot' | 'id' | 'plan'>, added: number): void {
    const target = {
      ...about,
      state: new HealthState(),
      startedMs: 0,
      failedAttempts: 0,
      cancel: null,
      dueMs: 0,
      queueIndex: -1,
    };
    this.#targets.set(target.id, target);
    const delayMs = firstDelayMs(target.plan.intervalMs, added, this.#options.random());
    this.#queue.put(target, this.#options.nowMs() + delayMs);
  }

  #replan(target: Target, plan: CheckPlan, settings: HealthSettings): void {
    const before = target.plan;
    target.plan = plan;
    if (!asksTheSame(before, plan)) return this.#restart(target, settings);
    if (before.intervalMs === plan.intervalMs || target.cancel !== null) return;
    const delayMs = gapMs(plan.intervalMs, this.#options.random());
    this.#queue.put(target, Math.max(target.startedMs + delayMs, this.#options.nowMs()));
  }

  #restart(target: Target, { intervalMs }: HealthSettings): void {
    this.#giveUp(target);
    target.state.restart();
    const delayMs = firstDelayMs(
      Math.min(intervalMs, target.plan.intervalMs),
      this.#targets.size,
      this.#options.random(),
    );
    this.#queue.put(target, this.#options.nowMs() + delayMs);
  }

  #forget(target: Target): void {
    this.#giveUp(target);
    this.#targets.delete(target.id);
    if (!target.state.isUp) this.#options.onForget(target.slot);
  }

  #giveUp(target: Target): void {
    this.#queue.remove(target);
    if (target.cancel === null) return;
    target.cancel();
    target.cancel = null;
    this.#running--;
  }

  /** Starts what is due, as far as one turn and the limit allow, and comes back for the rest. */
  #pump(): void {
    this.#wakeMs = Infinity;
    const settings = this.#settings;
    if (settings === null) return;
    for (let starts = 0; starts < STARTS_PER_TURN && this.#running < settings.maxProbes; starts++) {
      const target = this.#queue.takeDue(this.#options.nowMs());
      if (target === null) break;
      this.#ask(target, settings);
    }
    this.#wake();
  }

  #ask(target: Target, settings: HealthSettings): void {
    target.startedMs = this.#options.nowMs();
    target.failedAttempts = 0;
    this.#running++;
    this.#attempt(target, settings);
  }

  #attempt(target: Target, settings: HealthSettings): void {
    const { address, port } = target.plan;
    target.cancel = this.#options.prober.start(
      { address, port, timeoutMs: settings.timeoutMs, exchange: exchangeOf(target.plan, settings) },
      (outcome, connectMs) => {
        if (connectMs !== null) this.#options.onConnect(target.slot, connectMs);
        this.#onOutcome(target, outcome);
      },
    );
  }

  /** Runs #pump when the next one is due; where as many as may be are under way, the end of one of them does. */
  #wake(): void {
    const { nowMs, schedule } = this.#options;
    if (this.#settings === null || this.#running >= this.#settings.maxProbes) return;
    const dueMs = this.#queue.nextDueMs;
    if (dueMs >= this.#wakeMs) return;
    this.#cancelWake();
    this.#wakeMs = dueMs;
    this.#cancelWake = schedule(() => this.#pump(), Math.max(0, dueMs - nowMs()));
  }

  #onOutcome(target: Target, outcome: ProbeOutcome): void {
    target.cancel = null;
    const settings = this.#settings;
    if (outcome.isUp === false && settings !== null && ++target.failedAttempts < settings.attempts)
      return this.#attempt(target, settings);
    this.#running--;
    const { nowMs, random, onSkip } = this.#options;
    this.#queue.put(target, Math.max(target.startedMs + gapMs(target.plan.intervalMs, random()), nowMs()));
    if (outcome.isUp === null) onSkip(outcome.reason);
    else this.#record(target, outcome.isUp, outcome.isUp ? 'check succeeded' : outcome.reason);
    this.#wake();
  }

  #record(target: Target, isUp: boolean, reason: string): void {
    if (this.#settings === null || !target.state.record(isUp, this.#settings.thresholds)) return;
    const { slot, id, plan } = target;
    this.#options.onChange({ slot, id, isUp, check: plan.type, reason });
  }
}

function isSameQuestion(one: HealthSettings, other: HealthSettings): boolean {
  const isSameText = one.type === other.type && one.send === other.send && one.expect === other.expect;
  return isSameText && JSON.stringify(one.statuses) === JSON.stringify(other.statuses);
}
