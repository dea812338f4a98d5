/** What edgeproxy must reach. */
export type Relation = '≥' | '≤';
export type Variant = 'reuseport' | 'handoff' | 'pool';

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

/** Rows of this proxy against others of its own, in pairs of the same round; all of them must stay within the bound. */
export interface PairTarget {
  readonly figure: string;
  readonly work: string;
  readonly key: string;
  readonly bound: number;
  readonly base: string;
  readonly pairs: readonly { readonly name: string; readonly row: string; readonly base: string }[];
}

/** Rows of this proxy against another of its own: how much more each may take, in pairs of the same round. */
export interface DifferenceTarget {
  readonly figure: string;
  readonly work: string;
  readonly key: string;
  readonly unit: string;
  readonly bound: number;
  readonly base: { readonly name: string; readonly row: string };
  readonly rows: readonly { readonly name: string; readonly row: string }[];
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
  ...(
    [
      ['64 B', 'udp-64'],
      ['1,200 B', 'udp-1200'],
      ['64 B, one client', 'udp-one-64'],
      ['1,200 B, one client', 'udp-one-1200'],
    ] as const
  ).map(([what, work]) => ({
    figure: `proxy CPU per datagram, ${what}`,
    work,
    key: 'proxyCpu',
    base: 'nginx' as const,
    relation: '≤' as const,
    bound: 0.7,
    variants: ['reuseport'] as const,
  })),
  ...(['haproxy', 'nginx'] as const).flatMap((base) =>
    (['517', '1800'] as const).map((bytes) => ({
      figure: `proxy CPU per connection by server name, ClientHello of ${bytes} B`,
      work: `sni-${bytes}`,
      key: 'proxyCpu',
      base,
      relation: '≤' as const,
      bound: 1,
    })),
  ),
  ...(['haproxy', 'nginx'] as const).map((base) => ({
    // One round trip of two.
    figure: 'median time to first byte, 50 ms away, warm connections',
    work: 'remote',
    key: 'p50Us',
    base,
    relation: '≤' as const,
    bound: 0.55,
    variants: ['pool'] as const,
  })),
];

export const differenceTargets: readonly DifferenceTarget[] = [
  {
    figure: 'proxy CPU per connection, 1,000 networks in rules',
    work: 'rules',
    key: 'proxyCpu',
    unit: 'µs',
    bound: 1,
    base: { name: 'without rules', row: 'edgeproxy-rules-none' },
    rows: [
      { name: 'one rule', row: 'edgeproxy-rules-1x1000' },
      { name: '1,000 rules', row: 'edgeproxy-rules-1000x1' },
    ],
  },
];

export const pairTargets: readonly PairTarget[] = [
  {
    figure: 'proxy CPU per connection, everything on',
    work: 'all-on',
    key: 'proxyCpu',
    bound: 1.05,
    base: 'everything off',
    pairs: BOTH.map((name) => ({ name, row: `edgeproxy-${name}-all-on`, base: `edgeproxy-${name}-all-off` })),
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
    figure: 'matching rules with 1,000 networks',
    work: 'match',
    key: 'decisionUs',
    unit: 'µs',
    bound: 1,
    digits: 2,
    rows: ['1 rule, 1,000 networks', '1,000 rules, 1 network each'],
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
