/** The micro-benchmark of the routing decision, each case in a process of its own. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Decision } from '../../route-decision.bench.js';
import type { StandaloneWork } from '../model.js';

const SCRIPT = fileURLToPath(new URL('../../route-decision.bench.ts', import.meta.url));
const TIMEOUT_MS = 60_000;
const CASES = ['0', '1', '2'];

export const routeDecision: StandaloneWork = {
  name: 'route',
  title: 'one routing decision for a new client, by mitata, geo look-up and binding included',
  columns: [
    { key: 'decisionUs', title: 'median µs', digits: 2 },
    { key: 'averageUs', title: 'mean µs', digits: 2 },
  ],
  runAlone: async () => {
    // The same loader as this process has.
    const decisions: Decision[] = [];
    for (const each of CASES) {
      const args = [...process.execArgv, SCRIPT, each, '--json'];
      const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: TIMEOUT_MS });
      decisions.push(...(JSON.parse(stdout) as Decision[]));
    }
    return new Map(
      decisions.map(({ name, p50Us, averageUs }) => {
        const figures = { decisionUs: p50Us, averageUs };
        return [name, [{ round: 0, figures, errors: {} }]];
      }),
    );
  },
};
