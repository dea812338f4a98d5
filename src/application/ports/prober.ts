import type { Exchange, Verdict } from '../../domain/health/exchange.js';

export interface Probe {
  /** IPv4 or IPv6 literal, or `unix:/path`; then the port is not looked at. */
  readonly address: string;
  readonly port: number;
  /** For all of it, from the connect to the verdict. */
  readonly timeoutMs: number;
  /** null = it is well if it can be connected to. */
  readonly exchange: Exchange | null;
}

/** `isUp: null`: this host had no descriptor or memory to ask with, which says nothing about the backend. */
export type ProbeOutcome = Verdict | { readonly isUp: null; readonly reason: string };

/** `connectMs` tells how long connecting took, null where it did not come to that. */
export type ProbeDone = (outcome: ProbeOutcome, connectMs: number | null) => void;

/** Asks backends whether they are well. */
export interface Prober {
  /**
   * Starts a probe. `done` is called once, never before this returns and never after the function returned has been
   * called, which gives the probe up; that is idempotent. Nothing of a probe is left open when it is done.
   */
  start(probe: Probe, done: ProbeDone): () => void;
}
