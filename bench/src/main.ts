/** Entry of the bench: flags, preparation, run, report. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { allProxies } from '../proxies/all.js';
import { stopLiveBackends } from './backend.js';
import { killLiveChildren } from './child.js';
import { parseFlags, USAGE, type Flags } from './flags.js';
import { raiseKernelSettings, type KernelSettings } from './kernel-settings.js';
import { describeMachine } from './machine.js';
import type { ProxyDefinition } from './model.js';
import { buildNative } from './native-build.js';
import { htmlReport } from './page/html-report.js';
import { Progress } from './progress.js';
import { hasFailures, jsonReport, markdownReport, plainReport, type Report } from './report.js';
import { Runner } from './runner.js';
import { becomeOnlyRun } from './single-run.js';
import { judgeTargets } from './verdicts.js';
import { allWorks } from './works/all.js';

const BENCH_DIRECTORY = dirname(dirname(fileURLToPath(import.meta.url)));

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function pick<T extends { readonly name: string }>(kind: string, all: readonly T[], names: readonly string[]): T[] {
  const known = all.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`unknown ${kind} ${unknown.join(', ')}; known: ${known.join(', ')}`);
  return all.filter(({ name }) => names.includes(name));
}

function availableProxies(flags: Flags, notes: string[]): ProxyDefinition[] {
  return pick('proxy', allProxies, flags.proxies ?? allProxies.map(({ name }) => name)).filter((proxy) => {
    const reason = proxy.missing();
    if (reason !== undefined) notes.push(`skipped ${proxy.name}: ${reason}`);
    return reason === undefined;
  });
}

/** 'exit' covers every way out, including a failure, once signals are turned into one. */
function cleanUpOnExit(settings: KernelSettings, directory: string): void {
  process.once('exit', () => {
    settings.restore();
    killLiveChildren();
    stopLiveBackends();
    rmSync(directory, { recursive: true, force: true });
  });
  const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
  for (const [signal, code] of Object.entries(signals)) process.once(signal, () => process.exit(code));
}

async function measure(flags: Flags): Promise<Report> {
  const works = pick('work', allWorks, flags.works ?? allWorks.map(({ name }) => name));
  const notes: string[] = [];
  const proxies = availableProxies(flags, notes);
  const programs = buildNative(BENCH_DIRECTORY);
  await becomeOnlyRun(print);
  const startedAt = new Date();
  const settings = raiseKernelSettings();
  const directory = mkdtempSync(join(tmpdir(), 'edgeproxy-bench-'));
  cleanUpOnExit(settings, directory);
  notes.push(...settings.notes);
  notes.forEach(print);
  const { rounds, seconds } = flags;
  const isEverywhere = flags.proxies !== undefined;
  const bar = new Progress(process.stdout, works.length);
  const told = {
    report: (line: string) => bar.print(line),
    progress: (...at: Parameters<Progress['show']>) => bar.show(...at),
  };
  const results = await new Runner({
    works,
    proxies,
    isEverywhere,
    programs,
    directory,
    rounds,
    seconds,
    ...told,
  }).run();
  bar.end();
  return {
    command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
    startedAt: startedAt.toISOString(),
    tookSeconds: (Date.now() - startedAt.getTime()) / 1_000,
    rounds,
    seconds,
    machine: describeMachine(BENCH_DIRECTORY, proxies),
    notes,
    works,
    results,
    verdicts: judgeTargets(results),
  };
}

function store(report: Report, flags: Flags): void {
  const directory = join(BENCH_DIRECTORY, 'results');
  mkdirSync(directory, { recursive: true });
  const path = join(directory, report.startedAt.replaceAll(':', '-'));
  const json = jsonReport(report);
  writeFileSync(`${path}.json`, json);
  print(`\nresults: ${path}.json`);
  if (flags.isReport) {
    writeFileSync(`${path}.html`, htmlReport(report));
    print(`report: ${path}.html`);
  }
  if (flags.json !== undefined) writeFileSync(flags.json, json);
  if (flags.markdown !== undefined) writeFileSync(flags.markdown, markdownReport(report));
}

async function main(): Promise<void> {
  const flags = parseFlags(process.argv.slice(2));
  if (flags.isHelp) return print(USAGE);
  const report = await measure(flags);
  print(plainReport(report));
  store(report, flags);
  if (flags.isCheck && hasFailures(report)) process.exitCode = 1;
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
});
