/** Micro-benchmarks by mitata, in processes of their own. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Sample, StandaloneWork } from '../model.js';

const TIMEOUT_MS = 60_000;

/** What a script prints with --json: one of each case. */
export interface Decision {
  readonly name: string;
  readonly p50Us: number;
  readonly averageUs: number;
}

export interface MicroBenchmark {
  readonly name: string;
  readonly title: string;
  /** In bench/. */
  readonly script: string;
  /** The arguments of each process. */
  readonly runs: readonly (readonly string[])[];
}

export function microBenchmark({ name, title, script, runs }: MicroBenchmark): StandaloneWork {
  return {
    name,
    title,
    columns: [
      { key: 'decisionUs', title: 'median µs', digits: 2 },
      { key: 'averageUs', title: 'mean µs', digits: 2 },
    ],
    runAlone: async () => {
      const samples = new Map<string, readonly Sample[]>();
      for (const args of runs) {
        for (const { name: row, p50Us, averageUs } of await decisionsOf(script, args))
          samples.set(row, [{ round: 0, figures: { decisionUs: p50Us, averageUs }, errors: {} }]);
      }
      return samples;
    },
  };
}

async function decisionsOf(script: string, args: readonly string[]): Promise<readonly Decision[]> {
  const path = fileURLToPath(new URL(`../../${script}`, import.meta.url));
  // The same loader as this process has.
  const all = [...process.execArgv, path, ...args, '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, all, { timeout: TIMEOUT_MS });
  return JSON.parse(stdout) as Decision[];
}
