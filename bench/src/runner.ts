/**
 * Runs works over proxies. Within a round every proxy is measured once, and each round begins with another proxy, so that
 * drift of the machine hits all alike and ratios are taken between neighbours in time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Instance, type InstanceOptions } from './instance.js';
import type {
  BackendPlace,
  ProxyDefinition,
  ProxyWork,
  Results,
  RunContext,
  RunPlan,
  Sample,
  StandaloneWork,
  Work,
} from './model.js';

const SETTLE_MS = 80;
const ON_LOOPBACK: BackendPlace = { listensOn: '127.0.0.1', isAt: '127.0.0.1' };

export interface Plan extends RunPlan {
  readonly works: readonly Work[];
  /** Proxies were asked for by name: measure them in every work, also where they are not by default. */
  readonly isEverywhere: boolean;
  /** On loopback unless said. */
  readonly backendPlace?: BackendPlace;
  /** Told before each measurement: works done, the part of the present one that is done, what is measured. */
  readonly progress?: (worksDone: number, part: number, doing: string) => void;
}

type Measurement = Omit<Sample, 'round'>;

function rotated<T>(items: readonly T[], by: number): T[] {
  const at = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

/** Context proxies skip every second round; the first is never skipped. */
function isDue(proxy: ProxyDefinition, round: number): boolean {
  return proxy.isContext !== true || round % 2 === 0;
}

export class Runner {
  readonly #plan: Plan;
  readonly #results = new Map<string, ReadonlyMap<string, readonly Sample[]>>();
  /** Instances that serve all rounds of the present work, by proxy. */
  readonly #standing = new Map<string, Instance>();

  constructor(plan: Plan) {
    this.#plan = plan;
  }

  async run(): Promise<Results> {
    for (const work of this.#plan.works) {
      const startedMs = performance.now();
      this.#show(work, 0, '');
      if ('runAlone' in work) this.#results.set(work.name, await this.#runAlone(work));
      else await this.#runWork(work);
      this.#plan.report(`${work.name}: ${((performance.now() - startedMs) / 1_000).toFixed(0)} s`);
    }
    return this.#results;
  }

  #show(work: Work, part: number, detail: string): void {
    this.#plan.progress?.(this.#plan.works.indexOf(work), part, `${work.name} ${detail}`.trim());
  }

  async #runAlone(work: StandaloneWork): Promise<ReadonlyMap<string, readonly Sample[]>> {
    try {
      return await work.runAlone(this.#plan);
    } catch (error) {
      this.#plan.report(`${work.name}: ${error instanceof Error ? error.message : String(error)}`);
      return new Map([[work.name, [{ round: 0, figures: {}, errors: { failed: 1 } }]]]);
    }
  }

  async #runWork(work: ProxyWork): Promise<void> {
    const suitable = this.#plan.proxies.filter(
      (proxy) => work.suits(proxy.name) && (this.#plan.isEverywhere || (proxy.works?.includes(work.name) ?? true)),
    );
    const results = new Map<string, Sample[]>(suitable.map((proxy) => [proxy.name, []]));
    this.#results.set(work.name, results);
    try {
      const rounds = work.rounds(this.#plan.rounds);
      for (let round = 0; round < rounds; round += 1) {
        for (const [index, proxy] of rotated(suitable, round).entries()) {
          if (!isDue(proxy, round)) continue;
          this.#show(work, (round + index / suitable.length) / rounds, `round ${round + 1}, ${proxy.name}`);
          const measurement = await this.#measureOrExplain(work, proxy, round);
          results.get(proxy.name)?.push({ round, ...measurement });
          await sleep(SETTLE_MS);
        }
      }
    } finally {
      for (const instance of this.#standing.values()) await instance.stop();
      this.#standing.clear();
    }
  }

  /** A proxy that cannot be measured is an error of that round, not the end of the run. */
  async #measureOrExplain(work: ProxyWork, proxy: ProxyDefinition, round: number): Promise<Measurement> {
    try {
      return await this.#measure(work, proxy, round);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#plan.report(`${work.name}, ${proxy.name}, round ${round + 1}: ${reason}`);
      await this.#standing.get(proxy.name)?.stop();
      this.#standing.delete(proxy.name);
      return { figures: {}, errors: { failed: 1 } };
    }
  }

  async #measure(work: ProxyWork, proxy: ProxyDefinition, round: number): Promise<Measurement> {
    const context = this.#context(round);
    if (work.fresh === undefined) return work.measure(await this.#standingInstance(work, proxy), context);
    const options = this.#instanceOptions(work, work.fresh.workers);
    const instance = await (work.fresh.isReady ? Instance.start(proxy, options) : Instance.spawn(proxy, options));
    try {
      return await work.measure(instance, context);
    } finally {
      await instance.stop();
    }
  }

  async #standingInstance(work: ProxyWork, proxy: ProxyDefinition): Promise<Instance> {
    const standing = this.#standing.get(proxy.name);
    if (standing?.isRunning === true) return standing;
    if (standing !== undefined) {
      this.#plan.report(`${work.name}, ${proxy.name}: ended by itself, started again. ${standing.logTail}`);
      await standing.stop();
    }
    const instance = await Instance.start(proxy, this.#instanceOptions(work, 1));
    this.#standing.set(proxy.name, instance);
    return instance;
  }

  #instanceOptions(work: ProxyWork, workers: number): InstanceOptions {
    const { programs, directory, backendPlace = ON_LOOPBACK } = this.#plan;
    const backend = { backendProgram: programs.backend, backendKind: work.backend, backendPlace };
    return { ...backend, workers, runDirectory: directory };
  }

  #context(round: number): RunContext {
    return {
      seconds: this.#plan.seconds,
      round,
      samples: (work, proxy) => this.#results.get(work)?.get(proxy) ?? [],
      directory: this.#plan.directory,
      clientProgram: this.#plan.programs.client,
    };
  }
}
