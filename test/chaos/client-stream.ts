/** One client of the chaos run, from its connect to the way it ended. */
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Peer, PULL_EACH_CHUNK, type Ending } from '../support/peer.js';
import {
  GREETING_BYTES,
  headerOf,
  readGreeting,
  TERMINATOR_BYTES,
  terminatorOf,
  type StreamContent,
} from './stream-content.js';
import { ContentCheck, Head, sendContent } from './stream-ends.js';
import type { StreamPlan } from './stream-plan.js';

/**
 * intact: everything came and then the end. reset: it broke, visibly. left: the client went first. refused: nobody listens.
 * stuck: no byte in either direction for STUCK_MS. cut: an end too early, as if all were well. wrong: other bytes than sent.
 */
export type StreamOutcome = 'intact' | 'reset' | 'left' | 'refused' | 'stuck' | 'cut' | 'wrong';

export interface StreamReport {
  readonly id: number;
  readonly outcome: StreamOutcome;
  /** Process id of the backend that greeted, 0 before. */
  readonly instance: number;
  /** Content and terminator received. */
  readonly downBytes: number;
  readonly detail: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

export interface Target {
  readonly port: number;
  readonly address: string;
  readonly localAddress: string;
}

/** Longer than anything that may hold a stream up: stopped processes, pauses of either side, a busy machine. */
const STUCK_MS = 45_000;
const STUCK_LOOK_MS = 1000;
const RESET_CODES: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED']);

export class ClientStream {
  readonly #plan: StreamPlan;
  readonly #content: StreamContent;
  readonly #peer: Peer;
  readonly #connected: Promise<void>;
  readonly #startedAtMs = Date.now();
  readonly #check: ContentCheck;
  readonly #greeting = new Head(GREETING_BYTES);
  readonly #whenGreeted: Promise<void>;
  #tellGreeted: () => void = () => undefined;
  #instance = 0;
  #fault = '';
  #isStuck = false;
  #hasLeft = false;
  #progressAtMs = performance.now();

  constructor(plan: StreamPlan, content: StreamContent, to: Target) {
    this.#plan = plan;
    this.#content = content;
    this.#check = new ContentCheck(content, plan.id, 'down', plan.downBytes);
    this.#whenGreeted = new Promise((resolve) => (this.#tellGreeted = resolve));
    const { port, address: host, localAddress } = to;
    const socket = connect({ port, host, localAddress, allowHalfOpen: true, noDelay: true, ...PULL_EACH_CHUNK });
    this.#peer = new Peer(socket);
    this.#connected = new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  }

  async run(): Promise<StreamReport> {
    const watch = setInterval(() => this.#look(), STUCK_LOOK_MS);
    try {
      await this.#connected;
      const upload = this.#upload().catch((error: unknown) => this.#note(error));
      await this.#download();
      await upload;
      return this.#report(await this.#peer.ending());
    } catch (error) {
      return this.#report((error as NodeJS.ErrnoException).code ?? String(error));
    } finally {
      clearInterval(watch);
      this.#peer.close();
    }
  }

  /** Breaks it off: the run is over. */
  abandon(): void {
    this.#hasLeft = true;
    this.#peer.reset();
  }

  async #upload(): Promise<void> {
    const { id, upBytes, idleMs, isServerFirst, isInPieces, upPaceMs, leave, leaveAt } = this.#plan;
    if (isServerFirst) await this.#whenGreeted;
    if (idleMs > 0) await delay(idleMs);
    await this.#write(headerOf(this.#plan), isInPieces);
    const part = { id, flow: 'up', paceMs: upPaceMs } as const;
    const onProgress = (): void => this.#touch();
    const to = leave === 'end' ? upBytes : leaveAt;
    const middle = Math.floor(to / 2);
    await sendContent(this.#peer, this.#content, { ...part, from: 0, to: middle }, onProgress);
    if (idleMs > 0) await delay(idleMs);
    await sendContent(this.#peer, this.#content, { ...part, from: middle, to }, onProgress);
    if (leave === 'reset') return this.abandon();
    if (leave === 'end') await this.#write(terminatorOf(id), isInPieces);
    this.#hasLeft = leave === 'close';
    this.#peer.socket.end();
  }

  async #write(bytes: Buffer, isInPieces: boolean): Promise<void> {
    const half = isInPieces ? bytes.length / 2 : bytes.length;
    await this.#peer.writeSlowly(bytes.subarray(0, half));
    if (half < bytes.length) await this.#peer.writeSlowly(bytes.subarray(half));
  }

  async #download(): Promise<void> {
    for await (const chunk of this.#peer.chunks()) {
      this.#touch();
      this.#take(chunk);
      if (this.#fault !== '') return;
      if (this.#plan.readPaceMs > 0) await delay(this.#plan.readPaceMs);
    }
    // Whoever waits for a greeting that will not come.
    this.#tellGreeted();
  }

  #take(chunk: Buffer): void {
    let rest = chunk;
    if (this.#instance === 0) {
      const taken = this.#greeting.take(chunk);
      if (taken.head === null) return;
      const instance = readGreeting(taken.head);
      if (instance === null) this.#fault = 'wrong greeting';
      this.#instance = instance ?? 0;
      this.#tellGreeted();
      rest = taken.rest;
    }
    this.#fault ||= this.#check.take(rest) ?? '';
  }

  #touch(): void {
    this.#progressAtMs = performance.now();
  }

  #look(): void {
    if (performance.now() - this.#progressAtMs < STUCK_MS) return;
    this.#isStuck = true;
    this.#peer.reset();
  }

  /** An upload that breaks shows in the download too; only a fault of the test's own does not. */
  #note(error: unknown): void {
    this.#tellGreeted();
    if (error instanceof Error && !('code' in error)) this.#fault ||= String(error);
  }

  #report(ending: Ending): StreamReport {
    const [outcome, detail] = this.#judge(ending);
    return {
      id: this.#plan.id,
      outcome,
      instance: this.#instance,
      downBytes: this.#check.taken,
      detail,
      startedAtMs: this.#startedAtMs,
      endedAtMs: Date.now(),
    };
  }

  #judge(ending: Ending): [StreamOutcome, string] {
    if (this.#fault !== '') return ['wrong', this.#fault];
    if (this.#isStuck) return ['stuck', this.#state()];
    if (this.#hasLeft) return ['left', ''];
    if (ending === 'ECONNREFUSED') return ['refused', ending];
    if (ending !== 'end') return RESET_CODES.has(ending) ? ['reset', ending] : ['wrong', `ended with ${ending}`];
    return this.#check.isComplete ? ['intact', ''] : ['cut', this.#state()];
  }

  #state(): string {
    const { upBytes, downBytes } = this.#plan;
    const wanted = downBytes + TERMINATOR_BYTES;
    return `down ${this.#check.taken} of ${wanted}, up ${this.#peer.socket.bytesWritten} for ${upBytes}`;
  }
}
