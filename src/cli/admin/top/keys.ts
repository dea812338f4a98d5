import { columnsOf, firstSortOf, VIEW_NAMES } from './views.js';
import type { TopState } from './frame.js';

const CONTROL_C = '\x03';
const CONTROL_Z = '\x1a';
const PAGE_ROWS = 20;
const ROWS_OF: ReadonlyMap<string, number> = new Map([
  ['j', 1],
  ['k', -1],
  ['\x1b[B', 1],
  ['\x1b[A', -1],
  ['\x1b[6~', PAGE_ROWS],
  ['\x1b[5~', -PAGE_ROWS],
]);

/** A terminal sends several at once where they are typed fast; a sequence of Escape is one key. */
export function splitKeys(input: string): string[] {
  return input.match(/\x1b\[[0-9;]*[A-Za-z~]|\x1bO.|[^]/gu) ?? [];
}

/** What is shown from now on; null where the key means nothing. */
export function pressKey(state: TopState, key: string): TopState | 'quit' | 'suspend' | null {
  if (key === 'q' || key === CONTROL_C) return 'quit';
  if (key === CONTROL_Z) return 'suspend';
  const view = VIEW_NAMES.find((name) => name.startsWith(key));
  const change =
    view === undefined ? changeBy(state, key) : { view, sortedBy: firstSortOf(view), isReversed: false, offset: 0 };
  return change === null ? null : { ...state, ...change };
}

function changeBy(state: TopState, key: string): Partial<TopState> | null {
  if (key === 's') return { sortedBy: (state.sortedBy + 1) % columnsOf(state.view) };
  if (key === 'r') return { isReversed: !state.isReversed };
  const rows = ROWS_OF.get(key);
  return rows === undefined ? null : { offset: Math.max(0, state.offset + rows) };
}
