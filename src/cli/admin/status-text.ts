/** What `edgeproxy status` prints for people. */
import type { BackendRow, Overview, Stats, WorkerRow } from './answers.js';
import { formatBytes, formatCount, formatSecs } from './quantities.js';
import { tableLines, type Column } from './text-table.js';

export const WORKER_COLUMNS: readonly Column<WorkerRow>[] = [
  { title: 'WORKER', isNumber: true, text: ({ id }) => String(id) },
  { title: 'PID', isNumber: true, text: ({ pid }) => (pid === null ? '-' : String(pid)) },
  { title: 'STATE', text: ({ state }) => state },
  { title: 'CONNECTIONS', isNumber: true, text: ({ connections }) => formatCount(connections) },
  { title: 'LAG MS', isNumber: true, text: ({ event_loop_lag_ms: lag }) => lag.toFixed(0) },
  { title: 'RESTARTS', isNumber: true, text: ({ restarts }) => formatCount(restarts) },
];

export const BACKEND_COLUMNS: readonly Column<BackendRow>[] = [
  { title: 'BACKEND', text: ({ id }) => id },
  { title: 'APP', text: ({ app }) => app },
  { title: 'REGION', text: ({ region }) => region },
  { title: 'ADDRESS', text: addressOf },
  { title: 'STATE', text: stateOf },
  { title: 'ACTIVE', isNumber: true, text: ({ active }) => formatCount(active) },
  { title: 'TOTAL', isNumber: true, text: ({ connections_total: total }) => formatCount(total) },
  { title: 'ERRORS', isNumber: true, text: ({ errors }) => formatCount(sumOf(errors)) },
  { title: 'CONNECT MS', isNumber: true, text: ({ rtt_ms: ms }) => (ms === null ? '-' : ms.toFixed(1)) },
];

export function statusText({ stats, workers, backends }: Overview): string {
  const more = backends.total - backends.backends.length;
  const lines = [
    ...summaryLines(stats),
    '',
    ...tableLines(WORKER_COLUMNS, workers),
    '',
    ...(backends.total === 0 ? ['no backends'] : tableLines(BACKEND_COLUMNS, backends.backends)),
    ...(more > 0 ? [`and ${formatCount(more)} more backends`] : []),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

export function addressOf({ ip, port }: Pick<BackendRow, 'ip' | 'port'>): string {
  if (port === 0) return ip;
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

/** The worst that is known of it. */
export function stateOf({ silent, enabled, draining, health, breaker, weight }: BackendRow): string {
  if (silent) return 'silent';
  if (!enabled) return 'disabled';
  if (health === 'unhealthy') return 'down';
  if (breaker !== 'closed') return `breaker ${breaker.replace('_', '-')}`;
  if (draining) return 'draining';
  if (weight === 0) return 'weight 0';
  return health === 'healthy' ? 'up' : 'enabled';
}

export function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function summaryLines(stats: Stats): string[] {
  const { version, node, region, uptime_secs: uptime, accepts, connections, bytes, udp } = stats;
  const listeners = accepts.map(({ protocol, address, port }) => `${protocol} ${addressOf({ ip: address, port })}`);
  const rejected = sumOf(connections.rejected);
  const facts: readonly (readonly [string, string])[] = [
    ['listeners', listeners.join(', ')],
    ['connections', `${formatCount(connections.active)} active, ${formatCount(connections.total)} in all`],
    ['rejected', formatCount(rejected) + reasonsOf(connections.rejected)],
    ['udp sessions', formatCount(udp.sessions)],
    ['bytes', `${formatBytes(bytes.sent)} sent, ${formatBytes(bytes.received)} received`],
    ['bindings', formatCount(stats.bindings)],
  ];
  const title = `edgeproxy ${version} on ${node} (${region}), up ${formatSecs(uptime)}${stats.draining ? ', draining' : ''}`;
  return [title, ...facts.map(([name, value]) => `${name.padEnd(12)}  ${value}`)];
}

function reasonsOf(counts: Readonly<Record<string, number>>): string {
  const reasons = Object.entries(counts).filter(([, count]) => count > 0);
  return reasons.length === 0
    ? ''
    : ` (${reasons.map(([reason, count]) => `${reason} ${formatCount(count)}`).join(', ')})`;
}
