/** Works that are one run of the load generator per proxy and round. */
import { cpuFigures, latencyFigures, memoryFigures, runLoad, type LoadOptions, type LoadReport } from '../load.js';
import type { BackendKind, Column, RunContext, ProxyWork } from '../model.js';

const WARMUP_SECONDS = 0.2;

export interface LoadWork {
  readonly name: string;
  readonly title: string;
  readonly backend: BackendKind;
  readonly columns: readonly Column[];
  /** The load, given this round's context; its length where it differs from the run's. */
  load(run: RunContext): Omit<LoadOptions, 'seconds'> & { readonly seconds?: number };
  /** The rate and the number of units that CPU time is divided by; connections or messages by default. */
  amount?(report: LoadReport): { readonly rate: Record<string, number>; readonly units: number };
}

const countOfUnits = (report: LoadReport): ReturnType<NonNullable<LoadWork['amount']>> => ({
  rate: { rate: report.units / report.seconds },
  units: report.units,
});

export function loadWork(work: LoadWork): ProxyWork {
  return {
    name: work.name,
    title: work.title,
    backend: work.backend,
    columns: work.columns,
    rounds: (wanted) => wanted,
    suits: () => true,
    measure: async (target, run) => {
      const options = { warmup: WARMUP_SECONDS, seconds: run.seconds, ...work.load(run) };
      const report = await runLoad(run.clientProgram, target, options);
      const { rate, units } = (work.amount ?? countOfUnits)(report);
      const figures = { ...rate, ...latencyFigures(report), ...cpuFigures(report, units), ...memoryFigures(target) };
      return { figures, errors: report.errors };
    },
  };
}

const latencyColumns: readonly Column[] = [
  { key: 'p50Us', title: 'p50 µs', better: 'lower', digits: 0 },
  { key: 'p99Us', title: 'p99 µs', better: 'lower', digits: 0 },
  { key: 'p999Us', title: 'p99.9 µs', better: 'lower', digits: 0 },
];

export function countedColumns(unit: string): readonly Column[] {
  return [
    { key: 'rate', title: `${unit}/s`, better: 'higher', digits: 0 },
    ...latencyColumns,
    { key: 'systemCpu', title: `system CPU µs/${unit}`, better: 'lower', digits: 1 },
    { key: 'ownCpu', title: `own CPU µs/${unit}`, better: 'lower', digits: 1 },
    { key: 'proxyCpu', title: `proxy CPU µs/${unit}`, better: 'lower', digits: 1 },
    { key: 'peakMb', title: 'peak MB', digits: 1 },
  ];
}

export const streamColumns: readonly Column[] = [
  { key: 'gbps', title: 'Gb/s', better: 'higher', digits: 1 },
  { key: 'systemCpu', title: 'system CPU ms/GB', better: 'lower', digits: 0 },
  { key: 'ownCpu', title: 'own CPU ms/GB', better: 'lower', digits: 0 },
  { key: 'proxyCpu', title: 'proxy CPU ms/GB', better: 'lower', digits: 0 },
  { key: 'peakMb', title: 'peak MB', digits: 1 },
];

/** CPU in µs per 10^6 bytes is ms per GB. */
export function streamAmount(report: LoadReport): ReturnType<NonNullable<LoadWork['amount']>> {
  return { rate: { gbps: (report.bytes * 8) / report.seconds / 1e9 }, units: report.bytes / 1e6 };
}

export const latencyOnlyColumns: readonly Column[] = [...latencyColumns];
