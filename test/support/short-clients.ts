import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Owner } from './scratch-directory.js';

const LANES = 8;
/** Between two of a lane: a steady trickle, which leaves the machine time for what is tested. */
const PAUSE_MS = 3;

interface Target {
  readonly address: string;
  readonly port: number;
}

/** Short connections, one after the other on each of several lanes, until stopped. */
export class ShortClients {
  served = 0;
  /** Ports of those that failed once connected, and the codes of those that could not connect at all. */
  readonly brokenPorts: number[] = [];
  readonly refusals: string[] = [];
  readonly #proxy: Target;
  readonly #lanes: Promise<void>[];
  #isRunning = true;

  constructor(owner: Owner, proxy: Target) {
    this.#proxy = proxy;
    owner.after(() => this.stop());
    this.#lanes = Array.from({ length: LANES }, () => this.#runLane());
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    await Promise.all(this.#lanes);
  }

  async #runLane(): Promise<void> {
    while (this.#isRunning) {
      await this.#runOne();
      await delay(PAUSE_MS);
    }
  }

  #runOne(): Promise<void> {
    const socket = connect(this.#proxy.port, this.#proxy.address);
    let port = 0;
    let answer = '';
    socket.once('connect', () => {
      port = socket.localPort ?? 0;
      socket.end('ping');
    });
    socket.on('data', (chunk) => (answer += String(chunk)));
    return new Promise((resolve) => {
      socket.once('error', (error: NodeJS.ErrnoException) => {
        if (port === 0) this.refusals.push(error.code ?? '');
      });
      socket.once('close', () => {
        if (answer.endsWith('ping')) this.served++;
        else if (port !== 0) this.brokenPorts.push(port);
        resolve();
      });
    });
  }
}
