/** What a bench run is made of: proxies, works, and the samples that a work takes of a proxy. */
import type { NativePrograms } from './native-build.js';

export interface Placement {
  readonly listenPort: number;
  readonly backendAddress: string;
  readonly backendPort: number;
  /** Also says what is to be passed on: UDP for datagram, TLS by its server name for hello, else TCP. */
  readonly backendKind: BackendKind;
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

export type BackendKind = 'echo' | 'source' | 'sink' | 'banner' | 'wwr' | 'http' | 'hello' | 'datagram';

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

/** Where backends are, as themselves and as proxies see it. */
export interface BackendPlace {
  readonly listensOn: string;
  readonly isAt: string;
}

/** What a run is made of, for a work that measures by itself. */
export interface RunPlan {
  readonly proxies: readonly ProxyDefinition[];
  readonly rounds: number;
  readonly seconds: number;
  readonly programs: NativePrograms;
  /** For the instances' files; the caller removes it. */
  readonly directory: string;
  report(line: string): void;
}

/** A work that measures by itself, and perhaps something other than proxies: its rows stand where the others have those. */
export interface StandaloneWork extends WorkTitle {
  runAlone(plan: RunPlan): Promise<ReadonlyMap<string, readonly Sample[]>>;
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
  /** For files of this run; the caller removes it. */
  readonly directory: string;
  /** The load generator. */
  readonly clientProgram: string;
}
