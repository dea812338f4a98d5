/** Tables for the terminal and for Markdown. */
import type { Column, Results, Sample, Work } from './model.js';
import { medianOf, pairedRatio } from './statistics.js';

export const RATIO_BASES = ['haproxy', 'nginx'] as const;
const DISTURBED_PCT = 15;

export type Row = readonly string[];

export function number(value: number | undefined, digits: number): string {
  return value === undefined
    ? '-'
    : value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function errorText(samples: readonly Sample[]): string {
  const sums = new Map<string, number>();
  for (const { errors } of samples)
    for (const [kind, count] of Object.entries(errors)) sums.set(kind, (sums.get(kind) ?? 0) + count);
  if (sums.size === 0) return '0';
  const rounds = samples.filter(({ errors }) => Object.keys(errors).length > 0).length;
  const kinds = [...sums].map(([kind, count]) => `${kind} ${count}`).join(', ');
  return `${kinds} (in ${rounds} of ${samples.length} rounds)`;
}

/** Rounds in which other programs or kernel threads took a good part of the machine. */
function disturbedText(samples: readonly Sample[]): string {
  const disturbed = samples.filter(({ figures }) => (figures['foreignPct'] ?? 0) > DISTURBED_PCT).length;
  return disturbed === 0 ? '' : ` [${disturbed} disturbed]`;
}

export function figureRows(work: Work, results: Results): Row[] {
  const rows: Row[] = [['proxy', ...work.columns.map(({ title }) => title), 'errors']];
  for (const [proxy, samples] of results.get(work.name) ?? []) {
    const figures = work.columns.map(({ key, digits }) => number(medianOf(samples, key), digits));
    rows.push([proxy, ...figures, errorText(samples) + disturbedText(samples)]);
  }
  return rows;
}

/** Medians of the ratios taken round by round; above 1 means more, whether that is good or not. */
export function ratioRows(work: Work, results: Results, base: string): Row[] {
  const samples = results.get(work.name);
  const baseSamples = samples?.get(base);
  const columns = work.columns.filter(({ better }) => better !== undefined);
  if (samples === undefined || baseSamples === undefined || baseSamples.length === 0 || columns.length === 0) return [];
  const rows: Row[] = [[`/ ${base}`, ...columns.map(({ title }: Column) => title)]];
  for (const [proxy, mine] of samples) {
    if (proxy === base) continue;
    rows.push([proxy, ...columns.map(({ key }) => number(pairedRatio(mine, baseSamples, key), 2))]);
  }
  return rows;
}

export function plainTable(rows: readonly Row[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const line = (row: Row): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ');
  return rows.map((row) => `  ${line(row).trimEnd()}`).join('\n');
}

export function markdownTable(rows: readonly Row[]): string {
  const [head = [], ...body] = rows;
  const line = (row: Row): string => `| ${row.join(' | ')} |`;
  return [line(head), line(head.map((_, column) => (column === 0 ? '---' : '--:'))), ...body.map(line)].join('\n');
}
