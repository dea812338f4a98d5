/** What a bench run is made of: proxies, works, and the samples that a work takes of a proxy. */

export interface Placement {
  readonly listenPort: number;
  readonly backendPort: number;
  /** A directory of this instance alone; gone after the run. */
  readonly directory: string;
  readonly workers: number;
}

export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface ProxyDefinition {
  readonly name: string;
  readonly summary: string;
  /** Context only: measured in every other round to keep the whole run short. */
  readonly isContext?: boolean;
  /** The works that it is measured in unless it is asked for by name; all when absent. */
  readonly works?: readonly string[];
  /** Why it cannot run on this machine and what to do about it; undefined when it can. */
  missing(): string | undefined;
  version(): string;
  /** Writes what the instance needs and says how to start it; undefined where there is nothing between the ends. */
  prepare(placement: Placement): Launch | undefined;
}

export type BackendKind = 'echo' | 'source' | 'sink' | 'banner' | 'wwr' | 'http';

/** A running proxy with a backend of its own, so that TIME_WAIT of one proxy never weighs on another. */
export interface Target {
  readonly proxy: string;
  readonly port: number;
  readonly backendPid: number;
  /** performance.now() just before the proxy's process was spawned. */
  readonly spawnedAtMs: number;
  /** All processes of the proxy; empty for the direct path. */
  pids(): readonly number[];
}

export type Errors = Readonly<Record<string, number>>;

export interface Sample {
  readonly round: number;
  /** By column key; the unit is in the work's column. */
  readonly figures: Readonly<Record<string, number>>;
  readonly errors: Errors;
}

export interface Column {
  readonly key: string;
  readonly title: string;
  /** Which direction is better decides how a ratio reads; none = no ratio. */
  readonly better?: 'higher' | 'lower';
  readonly digits: number;
}

export interface WorkTitle {
  readonly name: string;
  readonly title: string;
  readonly columns: readonly Column[];
}

/** A work that measures something other than proxies; its rows stand where the others have proxies. */
export interface StandaloneWork extends WorkTitle {
  runAlone(): Promise<ReadonlyMap<string, readonly Sample[]>>;
}

export interface ProxyWork extends WorkTitle {
  readonly backend: BackendKind;
  /**
   * Set: every measurement gets an instance of its own with so many workers, handed over as soon as it is spawned
   * or when it answers. Unset: one instance with one worker serves all rounds.
   */
  readonly fresh?: { readonly workers: number; readonly isReady: boolean };
  rounds(wanted: number): number;
  suits(proxy: string): boolean;
  measure(target: Target, run: RunContext): Promise<Omit<Sample, 'round'>>;
}

export type Work = ProxyWork | StandaloneWork;

/** Samples by work, then proxy. */
export type Results = ReadonlyMap<string, ReadonlyMap<string, readonly Sample[]>>;

export interface RunContext {
  readonly seconds: number;
  readonly round: number;
  /** Samples taken so far, by work and proxy. */
  samples(work: string, proxy: string): readonly Sample[];
  /** The load generator. */
  readonly clientProgram: string;
}
