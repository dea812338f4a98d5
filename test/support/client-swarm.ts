/** Thousands of clients in a process of their own: one process has not the descriptors for both ends of that many. */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { within } from './eventually.js';
import type { Owner } from './scratch-directory.js';

export type SwarmCommand =
  | { readonly type: 'connect'; readonly count: number; readonly port: number }
  | { readonly type: 'exchange'; readonly round: number }
  | { readonly type: 'leave'; readonly mayReset: boolean };

export interface SwarmReport {
  readonly succeeded: number;
}

const PROGRAM = fileURLToPath(new URL('./client-swarm.process.ts', import.meta.url));
const COMMAND_MS = 180_000;

export class ClientSwarm {
  readonly #child: ChildProcess;

  constructor(owner: Owner) {
    this.#child = fork(PROGRAM, { execArgv: ['--import', 'tsx'] });
    owner.after(() => {
      this.#child.kill('SIGKILL');
    });
  }

  /** Connects to 127.0.0.1 from many loopback addresses; resolves with how many are connected. */
  connect(port: number, count: number): Promise<number> {
    return this.#run({ type: 'connect', port, count });
  }

  /** Every client sends a message of its own; resolves with how many got exactly that back. */
  exchange(round: number): Promise<number> {
    return this.#run({ type: 'exchange', round });
  }

  /** Every client ends, or with `mayReset` every other one resets; resolves with how many ended well. */
  leave({ mayReset }: { readonly mayReset: boolean }): Promise<number> {
    return this.#run({ type: 'leave', mayReset });
  }

  #run(command: SwarmCommand): Promise<number> {
    const report = new Promise<number>((resolve, reject) => {
      this.#child.once('message', (message) => resolve((message as SwarmReport).succeeded));
      this.#child.once('exit', (code) => reject(new Error(`the swarm ended with code ${code}`)));
      this.#child.send(command);
    });
    return within(`the swarm's ${command.type}`, report, COMMAND_MS);
  }
}
