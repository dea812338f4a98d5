/** Three forms of a report: terminal, JSON, Markdown; the fourth is page/html-report.ts. */
import type { Machine } from './machine.js';
import type { Results, Work } from './model.js';
import { medianOf } from './statistics.js';
import { figureRows, markdownTable, plainTable, ratioRows, RATIO_BASES, type Row } from './tables.js';
import type { Verdict } from './verdicts.js';

export interface Report {
  readonly command: string;
  readonly startedAt: string;
  readonly tookSeconds: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly machine: Machine;
  readonly notes: readonly string[];
  readonly works: readonly Work[];
  readonly results: Results;
  readonly verdicts: readonly Verdict[];
}

export function tablesOf(work: Work, results: Results): (readonly Row[])[] {
  const ratios = RATIO_BASES.map((base) => ratioRows(work, results, base)).filter((rows) => rows.length > 1);
  return [figureRows(work, results), ...ratios];
}

export function verdictRows(verdicts: readonly Verdict[]): Row[] {
  const answer = (isMet: boolean | undefined): string => (isMet === undefined ? 'not measured' : isMet ? 'yes' : 'NO');
  const rows = verdicts.map(({ figure, wanted, reached, isMet }) => [figure, wanted, reached, answer(isMet)]);
  return [['figure', 'target', 'reached', 'met'], ...rows];
}

export function machineLine({ machine, rounds, seconds, tookSeconds, startedAt }: Report): string {
  const { cpu, cpus, memoryGb, kernel, node, commit } = machine;
  const run = `${rounds} rounds of ${seconds} s, ${tookSeconds.toFixed(0)} s in all`;
  return `${startedAt} · ${cpus} × ${cpu}, ${memoryGb} GB, Linux ${kernel}, Node ${node}, commit ${commit} · ${run}`;
}

export function plainReport(report: Report): string {
  const works = report.works.map((work) => {
    const tables = tablesOf(work, report.results).map(plainTable);
    return [`${work.name}: ${work.title}`, ...tables].join('\n');
  });
  return ['', ...works, `targets\n${plainTable(verdictRows(report.verdicts))}`, machineLine(report)].join('\n\n');
}

export function markdownReport(report: Report): string {
  const versions = Object.entries(report.machine.versions).map(([name, version]) => `${name}: ${version}`);
  const head = [machineLine(report), `\`${report.command}\``, versions.join(' · '), ...report.notes];
  const works = report.works.map((work) => {
    const tables = tablesOf(work, report.results).map(markdownTable);
    return [
      `#### ${work.name}`,
      `${work.title}. Medians of the rounds; ratios are medians of paired rounds.`,
      ...tables,
    ].join('\n\n');
  });
  const targets = ['#### Targets', markdownTable(verdictRows(report.verdicts))];
  return [...head, ...targets, ...works, ''].join('\n\n');
}

export function jsonReport(report: Report): string {
  const works = report.works.map((work) => {
    const proxies = [...(report.results.get(work.name) ?? [])].map(([proxy, samples]) => {
      const keys = new Set(samples.flatMap(({ figures }) => Object.keys(figures)));
      const medians = Object.fromEntries([...keys].map((key) => [key, medianOf(samples, key)]));
      return [proxy, { medians, rounds: samples }];
    });
    return { name: work.name, title: work.title, proxies: Object.fromEntries(proxies) as unknown };
  });
  return `${JSON.stringify({ ...report, results: undefined, works }, null, 2)}\n`;
}

export function hasFailures(report: Report): boolean {
  const samples = [...report.results.values()].flatMap((proxies) => [...proxies.values()].flat());
  const hasErrors = samples.some(({ errors }) => Object.keys(errors).length > 0);
  return hasErrors || report.verdicts.some(({ isMet }) => isMet === false);
}
