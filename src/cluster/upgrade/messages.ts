/** What a new version and the old one that started it tell each other. */
import type { SlotsById } from './inherited-memory.js';

export type ToPredecessor =
  /** It takes clients, from the listening sockets of these listeners of the old version among others. */
  | { readonly type: 'ready'; readonly adopted: readonly number[] }
  /** Which slot has which backend now? */
  | { readonly type: 'slots?' };

export interface SlotsAnswer {
  readonly type: 'slots';
  readonly slots: SlotsById;
}

/** Null for what another version may say and this one does not know. */
export function asToPredecessor(message: unknown): ToPredecessor | null {
  if (!isObject(message)) return null;
  if (message['type'] === 'slots?') return { type: 'slots?' };
  const { adopted } = message;
  if (message['type'] !== 'ready' || !Array.isArray(adopted)) return null;
  return { type: 'ready', adopted: adopted.filter((id): id is number => Number.isSafeInteger(id)) };
}

/** Null as above. */
export function asSlotsAnswer(message: unknown): SlotsAnswer | null {
  if (!isObject(message) || message['type'] !== 'slots' || !Array.isArray(message['slots'])) return null;
  return { type: 'slots', slots: message['slots'].filter(isSlot) };
}

function isSlot(value: unknown): value is readonly [string, number] {
  return Array.isArray(value) && typeof value[0] === 'string' && Number.isSafeInteger(value[1]);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
