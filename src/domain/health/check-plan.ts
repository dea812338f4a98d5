import type { Backend, CheckType } from '../backend.js';
import { unixPathOf } from '../unix-path.js';
import { byteExchange, httpExchange, type Exchange } from './exchange.js';
import type { StatusRange } from './status-ranges.js';

/** What holds for every backend whose row says nothing else. Bytes are strings as in Exchange. */
export interface CheckSettings {
  readonly type: CheckType;
  readonly intervalMs: number;
  readonly path: string;
  readonly statuses: readonly StatusRange[];
  readonly send: string;
  readonly expect: string;
}

/** How one backend is checked. */
export interface CheckPlan {
  readonly type: CheckType;
  readonly address: string;
  readonly port: number;
  readonly path: string;
  readonly intervalMs: number;
}

export function planCheck({ address, port, overrides }: Backend, settings: CheckSettings): CheckPlan {
  return {
    type: overrides?.healthType ?? settings.type,
    address,
    port: overrides?.healthPort ?? port,
    path: overrides?.healthPath ?? settings.path,
    intervalMs: overrides?.healthIntervalSecs === undefined ? settings.intervalMs : overrides.healthIntervalSecs * 1000,
  };
}

/** Whether an answer to one says the same about the backend as an answer to the other. */
export function asksTheSame(one: CheckPlan, other: CheckPlan): boolean {
  const isSamePlace = one.address === other.address && one.port === other.port;
  return isSamePlace && one.type === other.type && (one.type === 'tcp' || one.path === other.path);
}

/** What is said once connected; null where the connection says enough. */
export function exchangeOf({ type, address, port, path }: CheckPlan, settings: CheckSettings): Exchange | null {
  // What a page must contain is not what another protocol's greeting must.
  const expect = type === settings.type ? settings.expect : '';
  if (type === 'http') return httpExchange(hostHeader(address, port), path, settings.statuses, expect);
  return settings.send === '' && expect === '' ? null : byteExchange(settings.send, expect);
}

/** What lies at a path has no host's name. */
function hostHeader(address: string, port: number): string {
  if (unixPathOf(address) !== null) return 'localhost';
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
