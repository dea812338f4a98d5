/** Sets of CPUs as the kernel writes them: 0-3,6. */

/** More than any machine has. */
export const MOST_CPUS = 16_384;
const RANGE = /^(0|[1-9]\d{0,4})(?:-(0|[1-9]\d{0,4}))?$/;

/** In the order in which they are written; null where it is no list, names a CPU twice or goes beyond MOST_CPUS. */
export function parseCpuList(text: string): readonly number[] | null {
  const cpus: number[] = [];
  for (const part of text.split(',')) {
    const [, from, to = from] = RANGE.exec(part) ?? [];
    const [first, last] = [Number(from), Number(to)];
    if (!(first <= last && last < MOST_CPUS)) return null;
    for (let cpu = first; cpu <= last; cpu++) cpus.push(cpu);
    if (cpus.length > MOST_CPUS) return null;
  }
  return new Set(cpus).size === cpus.length ? cpus : null;
}

/** `cpus` in the order given; runs of neighbours become ranges. */
export function formatCpuList(cpus: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const cpu of cpus) {
    const run = runs.at(-1);
    if (run !== undefined && run[1] === cpu - 1) run[1] = cpu;
    else runs.push([cpu, cpu]);
  }
  return runs.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(',');
}
