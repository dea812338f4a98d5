/** npm run chaos -- --seed N --minutes M --accept handoff|reuseport: see README.md. */
import { parseArgs } from 'node:util';
import { featuresOf } from './features.js';
import { runChaos, type ChaosOptions, type ChaosReport } from './chaos-run.js';

const USAGE = `usage: npm run chaos -- [--seed TEXT] [--minutes NUMBER] [--accept handoff|reuseport] [--lanes NUMBER] [--main FILE]

  --seed     decides what happens when; a random number by default
  --minutes  how long the proxy is disturbed, fractions too; 2 by default
  --accept   handoff (the default) or reuseport
  --lanes    streams at a time; 60 by default
  --main     another build's dist/cli/main.js
`;
const MISUSE = 2;

const options = chaosOptions();
const closing: (() => void | Promise<void>)[] = [];
process.exitCode = 1;
try {
  const report = await start(options);
  print(report, options.seed);
  if (report.violationCount === 0) process.exitCode = 0;
} finally {
  for (const action of closing.reverse()) await action();
}

/** Ends the process where they are none, or help is asked for. */
function chaosOptions(): ChaosOptions {
  try {
    const values = parsed();
    if (!values.help) return checked(values);
    process.stdout.write(USAGE);
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}`);
    process.exit(MISUSE);
  }
}

function parsed() {
  return parseArgs({
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      seed: { type: 'string', default: String(1 + Math.floor(Math.random() * 1_000_000)) },
      minutes: { type: 'string', default: '2' },
      accept: { type: 'string', default: 'handoff' },
      lanes: { type: 'string', default: '60' },
      main: { type: 'string' },
    },
  }).values;
}

function checked({ seed, accept, main, minutes, lanes }: ReturnType<typeof parsed>): ChaosOptions {
  if (accept !== 'handoff' && accept !== 'reuseport')
    throw new Error(`--accept is handoff or reuseport, not ${accept}`);
  return {
    seed,
    accept,
    lengthMs: positive('minutes', minutes) * 60_000,
    lanes: positive('lanes', lanes),
    ...(main === undefined ? {} : { main }),
  };
}

async function start(run: ChaosOptions): Promise<ChaosReport> {
  const { seed, accept, lengthMs, lanes } = run;
  console.log(
    `seed ${seed}, ${lengthMs / 1000} s, ${accept}, ${lanes} streams at a time; on: ${featuresOf(seed).names.join(' ')}`,
  );
  const owner = { after: (action: () => void | Promise<void>) => void closing.push(action) };
  return runChaos(owner, run);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Infinity)) throw new Error(`--${name} is a number above 0, not ${text}`);
  return value;
}

function print(report: ChaosReport, seed: string): void {
  const { outcomes, disturbances, downBytes, before, after, violations, violationCount } = report;
  console.log('streams      ', outcomes, `${Math.round(downBytes / 1e6)} MB to clients`);
  console.log('disturbances ', disturbances);
  console.log('before, after', before, after);
  for (const violation of violations) console.log(`VIOLATION ${violation}`);
  console.log(violationCount === 0 ? 'no violation' : `${violationCount} violations, seed ${seed}`);
}
