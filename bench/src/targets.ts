/** What edgeproxy must reach. */
export type Relation = '≥' | '≤';
export type Variant = 'reuseport' | 'handoff';

export interface RatioTarget {
  readonly figure: string;
  readonly work: string;
  readonly key: string;
  readonly base: 'haproxy' | 'nginx';
  readonly relation: Relation;
  readonly bound: number;
  readonly variants?: readonly Variant[];
}

export interface ValueTarget {
  readonly figure: string;
  readonly work: string;
  readonly key: string;
  readonly unit: string;
  readonly bound: number;
  readonly digits: number;
  /** The rows of the work that must all stay within the bound. */
  readonly rows: readonly string[];
}

export const BOTH: readonly Variant[] = ['reuseport', 'handoff'];
const EDGEPROXY: readonly string[] = BOTH.map((variant) => `edgeproxy-${variant}`);

export const ratioTargets: readonly RatioTarget[] = [
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

export const valueTargets: readonly ValueTarget[] = [
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
