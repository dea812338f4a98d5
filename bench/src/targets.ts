/** What edgeproxy must reach, and whether a run shows it. */
import type { Results } from './model.js';
import { number } from './tables.js';
import { medianOf, pairedRatio } from './statistics.js';

export interface Verdict {
  readonly figure: string;
  readonly wanted: string;
  /** The figure of this run, or '-' where it was not measured. */
  readonly reached: string;
  readonly isMet: boolean | undefined;
}

type Relation = '≥' | '≤';
type Variant = 'reuseport' | 'handoff';

interface RatioTarget {
  readonly figure: string;
  readonly work: string;
  readonly key: string;
  readonly base: 'haproxy' | 'nginx';
  readonly relation: Relation;
  readonly bound: number;
  readonly variants?: readonly Variant[];
}

interface ValueTarget {
  readonly figure: string;
  readonly work: string;
  readonly key: string;
  readonly unit: string;
  readonly bound: number;
  readonly digits: number;
  /** The rows of the work that must all stay within the bound. */
  readonly rows: readonly string[];
}

const BOTH: readonly Variant[] = ['reuseport', 'handoff'];
const EDGEPROXY: readonly string[] = BOTH.map((variant) => `edgeproxy-${variant}`);

const ratioTargets: readonly RatioTarget[] = [
  { figure: 'download Gb/s', work: 'download', key: 'gbps', base: 'haproxy', relation: '≥', bound: 1.4 },
  { figure: 'download Gb/s', work: 'download', key: 'gbps', base: 'nginx', relation: '≥', bound: 1.2 },
  { figure: 'upload Gb/s', work: 'upload', key: 'gbps', base: 'haproxy', relation: '≥', bound: 1.1 },
  { figure: 'upload Gb/s', work: 'upload', key: 'gbps', base: 'nginx', relation: '≥', bound: 1.4 },
  {
    figure: 'proxy CPU per GB, download',
    work: 'download',
    key: 'proxyCpu',
    base: 'haproxy',
    relation: '≤',
    bound: 0.5,
  },
  { figure: 'proxy CPU per GB, upload', work: 'upload', key: 'proxyCpu', base: 'haproxy', relation: '≤', bound: 0.75 },
  {
    figure: 'system CPU per connection, reuseport',
    work: 'connect',
    key: 'systemCpu',
    base: 'haproxy',
    relation: '≤',
    bound: 0.95,
    variants: ['reuseport'],
  },
  {
    figure: 'system CPU per connection, handoff',
    work: 'connect',
    key: 'systemCpu',
    base: 'haproxy',
    relation: '≤',
    bound: 1.05,
    variants: ['handoff'],
  },
  { figure: 'system CPU per 64 B echo', work: 'echo-64', key: 'systemCpu', base: 'haproxy', relation: '≤', bound: 1 },
  {
    figure: 'p99 at half of the peak rate',
    work: 'connect-half',
    key: 'p99Us',
    base: 'haproxy',
    relation: '≤',
    bound: 1,
  },
  {
    figure: 'median time to first byte, backend speaks first',
    work: 'ttfb',
    key: 'p50Us',
    base: 'haproxy',
    relation: '≤',
    bound: 1.1,
  },
  {
    figure: 'median of three writes, then read',
    work: 'wwr',
    key: 'p50Us',
    base: 'haproxy',
    relation: '≤',
    bound: 1.1,
  },
  {
    figure: 'the same without TCP_NODELAY',
    work: 'wwr-nagle',
    key: 'p50Us',
    base: 'haproxy',
    relation: '≤',
    bound: 1.1,
  },
];

const valueTargets: readonly ValueTarget[] = [
  {
    figure: 'userland memory per idle connection',
    work: 'idle',
    key: 'bytesPerConnection',
    unit: 'B',
    bound: 3_400,
    digits: 0,
    rows: EDGEPROXY,
  },
  {
    figure: 'route decision, 16 backends',
    work: 'route',
    key: 'decisionUs',
    unit: 'µs',
    bound: 0.5,
    digits: 2,
    rows: ['16 backends'],
  },
  {
    figure: 'route decision, 1,000 backends',
    work: 'route',
    key: 'decisionUs',
    unit: 'µs',
    bound: 3,
    digits: 2,
    rows: ['1,000 backends'],
  },
  {
    figure: 'first byte after start, 2 workers',
    work: 'start',
    key: 'startMs',
    unit: 'ms',
    bound: 300,
    digits: 0,
    rows: EDGEPROXY,
  },
  {
    figure: 'balance over 4 workers, handoff',
    work: 'balance',
    key: 'spreadPct',
    unit: '%',
    bound: 2,
    digits: 2,
    rows: ['edgeproxy-handoff'],
  },
];

function isWithin(value: number, relation: Relation, bound: number): boolean {
  return relation === '≥' ? value >= bound : value <= bound;
}

function judge(values: readonly (number | undefined)[], relation: Relation, bound: number): boolean | undefined {
  if (values.length === 0 || values.includes(undefined)) return undefined;
  return values.every((value) => value !== undefined && isWithin(value, relation, bound));
}

/** Where other programs disturbed the run, the CPU of the bench's own processes tells more than that of the machine. */
function withOwnCpu(results: Results, target: RatioTarget, variant: Variant): string {
  if (target.key !== 'systemCpu') return '';
  const ofWork = results.get(target.work);
  const ratio = pairedRatio(ofWork?.get(`edgeproxy-${variant}`) ?? [], ofWork?.get(target.base) ?? [], 'ownCpu');
  return ratio === undefined ? '' : ` (own CPU ${number(ratio, 2)})`;
}

function ratioVerdict(results: Results, target: RatioTarget): Verdict {
  const variants = target.variants ?? BOTH;
  const ofWork = results.get(target.work);
  const base = ofWork?.get(target.base) ?? [];
  const ratios = variants.map((variant) => pairedRatio(ofWork?.get(`edgeproxy-${variant}`) ?? [], base, target.key));
  const texts = ratios.map((ratio, index) => {
    const variant = variants[index] ?? 'handoff';
    return ratio === undefined ? [] : [`${variant} ${number(ratio, 2)} ×${withOwnCpu(results, target, variant)}`];
  });
  return {
    figure: target.figure,
    wanted: `${target.relation} ${target.bound} × ${target.base}`,
    reached: texts.flat().join(', ') || '-',
    isMet: judge(ratios, target.relation, target.bound),
  };
}

function valueVerdict(results: Results, target: ValueTarget): Verdict {
  const ofWork = results.get(target.work);
  const values = target.rows.map((row) => medianOf(ofWork?.get(row) ?? [], target.key));
  const texts = values.flatMap((value, index) =>
    value === undefined
      ? []
      : [`${(target.rows[index] ?? '').replace('edgeproxy-', '')} ${number(value, target.digits)} ${target.unit}`],
  );
  return {
    figure: target.figure,
    wanted: `≤ ${number(target.bound, target.bound % 1 === 0 ? 0 : 1)} ${target.unit}`,
    reached: texts.join(', ') || '-',
    isMet: judge(values, '≤', target.bound),
  };
}

export function judgeTargets(results: Results): Verdict[] {
  return [
    ...ratioTargets.map((target) => ratioVerdict(results, target)),
    ...valueTargets.map((target) => valueVerdict(results, target)),
  ];
}
