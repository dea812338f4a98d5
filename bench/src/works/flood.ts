/**
 * What a flood from one address costs the others. The others come from many addresses at a steady rate, first alone, then
 * beside one address that connects as often as it can; each proxy is told to refuse that one. Both halves of a round are
 * neighbours in time. The flood takes its part of the machine whatever the proxy does with it: `direct` has no such
 * guard, so the proxies are to be compared with each other.
 */
import { cpuFigures, latencyFigures, memoryFigures, runLoad, type LoadOptions, type LoadReport } from '../load.js';
import type { Errors, ProxyWork } from '../model.js';

const VICTIMS_PER_SECOND = 1_000;
const FLOOD_PER_SECOND = 5_000;
const WARMUP_SECONDS = 0.2;
/** The flood is there before the others are measured, and after. */
const FLOOD_MARGIN_SECONDS = 0.3;

function errorsOf(...reports: readonly LoadReport[]): Errors {
  const sum: Record<string, number> = {};
  for (const { errors } of reports)
    for (const [name, count] of Object.entries(errors)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

function countOf(errors: Errors): number {
  return Object.values(errors).reduce((sum, count) => sum + count, 0);
}

export const flood: ProxyWork = {
  name: 'flood',
  title:
    `${VICTIMS_PER_SECOND} connections/s of many addresses, alone (quiet) and beside ${FLOOD_PER_SECOND}/s of one address that ` +
    'is to be refused',
  backend: 'echo',
  columns: [
    { key: 'rate', title: 'others/s', better: 'higher', digits: 0 },
    { key: 'quietP50Us', title: 'p50 µs quiet', digits: 0 },
    { key: 'p50Us', title: 'p50 µs flooded', better: 'lower', digits: 0 },
    { key: 'quietP99Us', title: 'p99 µs quiet', digits: 0 },
    { key: 'p99Us', title: 'p99 µs flooded', better: 'lower', digits: 0 },
    { key: 'refused', title: 'refused/s', digits: 0 },
    { key: 'let', title: 'let in/s', digits: 0 },
    { key: 'quietProxyCpu', title: 'proxy CPU µs/other quiet', digits: 1 },
    { key: 'proxyCpu', title: 'proxy CPU µs/other flooded', better: 'lower', digits: 1 },
    { key: 'peakMb', title: 'peak MB', digits: 1 },
  ],
  rounds: (wanted) => wanted,
  suits: (proxy) => proxy.endsWith('-guarded'),
  measure: async (target, run) => {
    const others: LoadOptions = {
      mode: 'connect',
      rate: VICTIMS_PER_SECOND,
      warmup: WARMUP_SECONDS,
      seconds: run.seconds,
    };
    const quiet = await runLoad(run.clientProgram, target, others);
    const flooding = runLoad(run.clientProgram, target, {
      mode: 'connect',
      rate: FLOOD_PER_SECOND,
      sources: 1,
      seconds: run.seconds + WARMUP_SECONDS + FLOOD_MARGIN_SECONDS,
    });
    const [flooded, flooder] = await Promise.all([runLoad(run.clientProgram, target, others), flooding]);
    const { p50Us, p99Us, p999Us } = latencyFigures(flooded);
    const { p50Us: quietP50Us, p99Us: quietP99Us } = latencyFigures(quiet);
    const figures = {
      rate: flooded.units / flooded.seconds,
      quietP50Us,
      p50Us,
      quietP99Us,
      p99Us,
      p999Us,
      refused: countOf(flooder.errors) / flooder.seconds,
      let: flooder.units / flooder.seconds,
      quietProxyCpu: cpuFigures(quiet, quiet.units)['proxyCpu'],
      proxyCpu: cpuFigures(flooded, flooded.units)['proxyCpu'],
      ...memoryFigures(target),
    };
    const known = Object.entries(figures).filter((entry): entry is [string, number] => entry[1] !== undefined);
    return { figures: Object.fromEntries(known), errors: errorsOf(quiet, flooded) };
  },
};
