/** Connections that the load generator opens and holds until they are released. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { loadArguments, type LoadReport } from './load.js';
import type { Errors, Target } from './model.js';

const TIMEOUT_MS = 30_000;

export class HeldConnections {
  readonly count: number;
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  private constructor(
    process: ChildProcessByStdio<Writable, Readable, null>,
    lines: AsyncIterator<string>,
    count: number,
  ) {
    this.#process = process;
    this.#lines = lines;
    this.count = count;
  }

  static async open(program: string, target: Target, connections: number): Promise<HeldConnections> {
    const args = loadArguments(target, { mode: 'idle', seconds: 1, connections });
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = linesOf(child);
    const { open } = JSON.parse(await nextLine(lines)) as { open: number };
    return new HeldConnections(child, lines, open);
  }

  /** Lets them prove that they still work, closes them and reports what failed. */
  async release(): Promise<Errors> {
    this.#process.stdin.end();
    const { errors } = JSON.parse(await nextLine(this.#lines)) as LoadReport;
    return errors;
  }
}

function linesOf(child: ChildProcessByStdio<Writable, Readable, null>): AsyncIterator<string> {
  const killer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
  child.once('exit', () => clearTimeout(killer));
  return createInterface({ input: child.stdout })[Symbol.asyncIterator]();
}

async function nextLine(lines: AsyncIterator<string>): Promise<string> {
  const line = await lines.next();
  if (line.done === true) throw new Error('the client that holds connections ended early');
  return line.value;
}
