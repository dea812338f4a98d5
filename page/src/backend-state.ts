/** What a backend's many states come to, and which of them a reader should see first. */
import type { Backend } from './api-types.js';

export interface BackendState {
  /** In the order of what matters most. */
  readonly words: readonly string[];
  readonly tone: 'good' | 'warn' | 'bad' | 'none';
}

export function stateOf(backend: Backend): BackendState {
  const bad = [
    ...(backend.health === 'unhealthy' ? ['unhealthy'] : []),
    ...(backend.breaker === 'open' ? ['breaker open'] : []),
    ...(backend.silent ? ['silent'] : []),
  ];
  const warn = [
    ...(backend.breaker === 'half_open' ? ['breaker half open'] : []),
    ...(isFull(backend) ? ['full'] : []),
  ];
  const off = [
    ...(backend.enabled ? [] : ['disabled']),
    ...(backend.draining ? ['draining'] : []),
    ...(backend.weight === 0 ? ['weight 0'] : []),
  ];
  const words = [...bad, ...warn, ...off];
  if (bad.length > 0) return { words, tone: 'bad' };
  if (warn.length > 0) return { words, tone: 'warn' };
  if (off.length > 0) return { words, tone: 'none' };
  return { words: [backend.health === 'unknown' ? 'up, unchecked' : 'healthy'], tone: 'good' };
}

function isFull({ active, hard_limit: limit }: Backend): boolean {
  return limit > 0 && active >= limit;
}

const TONES = ['bad', 'warn', 'none', 'good'];

export interface Region {
  readonly name: string;
  readonly backends: readonly Backend[];
  readonly active: number;
  /** Of those, how many take clients. */
  readonly up: number;
}

/** Regions by name; in each the troubled first. Only backends that have `filter` in what is shown of them. */
export function byRegion(backends: readonly Backend[], filter: string): Region[] {
  const wanted = filter.trim().toLowerCase();
  const regions = new Map<string, Backend[]>();
  for (const backend of backends) {
    if (!textOf(backend).includes(wanted)) continue;
    const name = backend.region === '' ? 'no region' : backend.region;
    regions.set(name, [...(regions.get(name) ?? []), backend]);
  }
  return [...regions]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([name, members]) => ({
      name,
      backends: members.sort(byTrouble),
      active: members.reduce((total, { active }) => total + active, 0),
      up: members.filter((backend) => ['good', 'warn'].includes(stateOf(backend).tone)).length,
    }));
}

function byTrouble(a: Backend, b: Backend): number {
  const tones = TONES.indexOf(stateOf(a).tone) - TONES.indexOf(stateOf(b).tone);
  // Not by load: a row that moves under the pointer has the wrong button clicked.
  return tones !== 0 ? tones : a.id.localeCompare(b.id);
}

function textOf(backend: Backend): string {
  const { id, app, region, country, ip, port } = backend;
  return [id, app, region, country, `${ip}:${port}`, ...stateOf(backend).words].join(' ').toLowerCase();
}
