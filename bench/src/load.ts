/** Runs the load generator and turns its report into figures. */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import type { Errors, Target } from './model.js';
import { kernelSoftirqPids, peakResidentKb } from './process-tree.js';

const GRACE_SECONDS = 15;

export interface LoadReport {
  readonly seconds: number;
  readonly units: number;
  readonly bytes: number;
  readonly latencyNs: { readonly count: number; readonly p50: number; readonly p99: number; readonly p999: number };
  readonly cpuUs: {
    readonly systemTicks: number;
    readonly systemIdle: number;
    readonly systemSteal: number;
    readonly proxy: number;
    readonly backend: number;
    readonly client: number;
    readonly kernel: number;
  };
  readonly errors: Errors;
}

export interface LoadOptions {
  readonly mode: string;
  readonly seconds: number;
  readonly warmup?: number;
  readonly connections?: number;
  readonly size?: number;
  readonly rate?: number;
  readonly nagle?: boolean;
  /** Loopback addresses that clients come from, 262,144 by default. */
  readonly sources?: number;
  /** File with the bytes that each connection sends, and how many of them at once. */
  readonly question?: string;
  readonly 'first-part'?: number;
  /** Datagrams under way for each client. */
  readonly window?: number;
}

export function loadArguments(target: Target, options: LoadOptions): string[] {
  const { nagle, ...values } = options;
  const args = Object.entries(values).flatMap(([name, value]) => [`--${name}`, String(value)]);
  args.push('--port', String(target.port), '--backend-pids', String(target.backendPid));
  const pids = target.pids();
  if (pids.length > 0) args.push('--proxy-pids', pids.join(','));
  const kernelPids = kernelSoftirqPids();
  if (kernelPids.length > 0) args.push('--kernel-pids', kernelPids.join(','));
  if (nagle === true) args.push('--nagle');
  return args;
}

export function runLoad(program: string, target: Target, options: LoadOptions): Promise<LoadReport> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, loadArguments(target, options), { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    const deadlineMs = (options.seconds + (options.warmup ?? 0) + GRACE_SECONDS) * 1_000;
    const killer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.once('close', (code, signal) => {
      clearTimeout(killer);
      if (code === 0) resolve(JSON.parse(output) as LoadReport);
      else reject(new Error(`the ${options.mode} client ended with ${String(signal ?? code)}`));
    });
  });
}

/**
 * Busy time of the machine: all CPU time that was neither idle nor stolen. The idle column is measured by the clock; the
 * busy columns are sampled by the timer tick and miss most of a load that is itself driven by timers.
 */
export function systemBusyUs(report: LoadReport): number {
  const { systemIdle, systemSteal } = report.cpuUs;
  return Math.max(0, report.seconds * 1e6 * availableParallelism() - systemIdle - systemSteal);
}

/** CPU per unit of work, and how much of the machine was used by nobody of this bench (or by kernel threads). */
export function cpuFigures(report: LoadReport, units: number): Record<string, number> {
  const busyUs = systemBusyUs(report);
  const ownUs = report.cpuUs.proxy + report.cpuUs.backend + report.cpuUs.client + report.cpuUs.kernel;
  const machineUs = report.seconds * 1e6 * availableParallelism();
  const perUnit = (valueUs: number): number => (units > 0 ? valueUs / units : 0);
  return {
    systemCpu: perUnit(busyUs),
    systemTickCpu: perUnit(report.cpuUs.systemTicks),
    // Without what other programs of the machine used: the figure to look at where a round was disturbed.
    ownCpu: perUnit(ownUs),
    proxyCpu: perUnit(report.cpuUs.proxy),
    backendCpu: perUnit(report.cpuUs.backend),
    clientCpu: perUnit(report.cpuUs.client),
    foreignPct: Math.max(0, ((busyUs - ownUs) / machineUs) * 100),
  };
}

export function latencyFigures(report: LoadReport): Record<string, number> {
  const { count, p50, p99, p999 } = report.latencyNs;
  return count === 0 ? {} : { p50Us: p50 / 1e3, p99Us: p99 / 1e3, p999Us: p999 / 1e3 };
}

export function memoryFigures(target: Target): Record<string, number> {
  const pids = target.pids();
  return pids.length === 0 ? {} : { peakMb: peakResidentKb(pids) / 1024 };
}
