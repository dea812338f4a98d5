/** Entry of the bench: flags, preparation, run, report. */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { allProxies, notByDefault } from '../proxies/all.js';
import { stopLiveBackends } from './backend.js';
import { killLiveChildren } from './child.js';
import { parseFlags, USAGE, type Flags } from './flags.js';
import { raiseKernelSettings, type KernelSettings } from './kernel-settings.js';
import type { ProxyDefinition } from './model.js';
import { buildNative } from './native-build.js';
import { Runner } from './runner.js';
import { figureRows, plainTable, ratioRows, RATIO_BASES } from './tables.js';
import { allWorks } from './works/all.js';

const BENCH_DIRECTORY = dirname(dirname(fileURLToPath(import.meta.url)));

function pick<T extends { readonly name: string }>(kind: string, all: readonly T[], names: readonly string[]): T[] {
  const unknown = names.filter((name) => !all.some((item) => item.name === name));
  if (unknown.length > 0)
    throw new Error(`unknown ${kind} ${unknown.join(', ')}; known: ${all.map(({ name }) => name).join(', ')}`);
  return all.filter(({ name }) => names.includes(name));
}

function availableProxies(flags: Flags, print: (line: string) => void): ProxyDefinition[] {
  const byDefault = allProxies.map(({ name }) => name).filter((name) => !notByDefault.has(name));
  return pick('proxy', allProxies, flags.proxies ?? byDefault).filter((proxy) => {
    const reason = proxy.missing();
    if (reason !== undefined) print(`skipped ${proxy.name}: ${reason}`);
    return reason === undefined;
  });
}

async function main(): Promise<void> {
  const flags = parseFlags(process.argv.slice(2));
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  if (flags.isHelp) return print(USAGE);
  const works = pick('work', allWorks, flags.works ?? allWorks.map(({ name }) => name));
  const proxies = availableProxies(flags, print);
  const programs = buildNative(BENCH_DIRECTORY);
  const settings = raiseKernelSettings();
  settings.notes.forEach(print);
  cleanUpOnExit(settings);
  const results = await new Runner({
    works,
    proxies,
    programs,
    rounds: flags.rounds,
    seconds: flags.seconds,
    report: print,
  }).run();
  for (const work of works) {
    print(`\n${work.name}: ${work.title}`);
    print(plainTable(figureRows(work, results)));
    for (const base of RATIO_BASES) {
      const rows = ratioRows(work, results, base);
      if (rows.length > 1) print(plainTable(rows));
    }
  }
}

/** 'exit' covers every way out, including a failure, once signals are turned into one. */
function cleanUpOnExit(settings: KernelSettings): void {
  process.once('exit', () => {
    settings.restore();
    killLiveChildren();
    stopLiveBackends();
  });
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)
    process.once(signal, () => process.exit(code));
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
});
