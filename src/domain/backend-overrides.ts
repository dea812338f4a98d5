/** The optional columns of a row that say something else than the settings; NULL, or no such column, is the setting. */
import type { BackendOverrides, CheckType } from './backend.js';

export const OVERRIDE_COLUMNS = [
  'health_port',
  'health_interval_secs',
  'health_type',
  'health_path',
  'drain_timeout_secs',
] as const;
export type OverrideColumn = (typeof OVERRIDE_COLUMNS)[number];

export function isOverride(column: string): column is OverrideColumn {
  return OVERRIDE_COLUMNS.some((known) => known === column);
}

export const NO_OVERRIDES = {
  health_port: null,
  health_interval_secs: null,
  health_type: null,
  health_path: null,
  drain_timeout_secs: null,
} as const satisfies Record<OverrideColumn, null>;

export const CHECK_TYPES: readonly CheckType[] = ['tcp', 'http'];
export const CHECK_PATH = /^\/[\x21-\x7e]{0,1023}$/;
const DAY_SECS = 86_400;
/** Of the intervals of checks and of the time that a drain may take, in seconds. */
export const CHECK_INTERVAL_RANGE = { min: 0.1, max: DAY_SECS } as const;
export const DRAIN_TIMEOUT_RANGE = { min: 0, max: 30 * DAY_SECS } as const;
const PORT_RANGE = { min: 1, max: 65_535 } as const;

interface Rule<T> {
  readonly field: keyof BackendOverrides;
  readonly expected: string;
  /** undefined where the value is not right. */
  readonly read: (value: unknown) => T | undefined;
}

const RULES: { readonly [C in OverrideColumn]: Rule<string | number> } = {
  health_port: {
    field: 'healthPort',
    expected: `a whole number from ${PORT_RANGE.min} to ${PORT_RANGE.max}`,
    read: (value) => numberWithin(value, PORT_RANGE, Number.isInteger),
  },
  health_interval_secs: {
    field: 'healthIntervalSecs',
    expected: `seconds from ${CHECK_INTERVAL_RANGE.min} to ${CHECK_INTERVAL_RANGE.max}`,
    read: (value) => numberWithin(value, CHECK_INTERVAL_RANGE),
  },
  health_type: {
    field: 'healthType',
    expected: CHECK_TYPES.join(' or '),
    read: (value) => CHECK_TYPES.find((type) => typeof value === 'string' && type === value.toLowerCase()),
  },
  health_path: {
    field: 'healthPath',
    expected: 'a path that begins with / and has no blanks',
    read: (value) => (typeof value === 'string' && CHECK_PATH.test(value) ? value : undefined),
  },
  drain_timeout_secs: {
    field: 'drainTimeoutSecs',
    expected: `seconds from ${DRAIN_TIMEOUT_RANGE.min} to ${DRAIN_TIMEOUT_RANGE.max}`,
    read: (value) => numberWithin(value, DRAIN_TIMEOUT_RANGE),
  },
};

/**
 * What the row overrides, undefined where it does so with nothing. `onWrong` is told of each value that is not right, which
 * then counts as NULL.
 */
export function readOverrides(
  row: Readonly<Partial<Record<OverrideColumn, unknown>>>,
  onWrong: (column: OverrideColumn, expected: string) => void,
): BackendOverrides | undefined {
  const overrides: Record<string, string | number> = {};
  for (const column of OVERRIDE_COLUMNS) {
    const value = row[column] ?? null;
    if (value === null) continue;
    const { field, expected, read } = RULES[column];
    const right = read(value);
    if (right === undefined) onWrong(column, expected);
    else overrides[field] = right;
  }
  return Object.keys(overrides).length === 0 ? undefined : overrides;
}

/** The columns of these overrides with their values. */
export function overrideValues(overrides: BackendOverrides): [column: OverrideColumn, value: string | number][] {
  return OVERRIDE_COLUMNS.flatMap((column): [OverrideColumn, string | number][] => {
    const value = overrides[RULES[column].field];
    return value === undefined ? [] : [[column, value]];
  });
}

function numberWithin(
  value: unknown,
  { min, max }: { readonly min: number; readonly max: number },
  isRight: (number: number) => boolean = () => true,
): number | undefined {
  const number = typeof value === 'bigint' ? Number(value) : value;
  return typeof number === 'number' && number >= min && number <= max && isRight(number) ? number : undefined;
}
