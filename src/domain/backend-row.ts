/**
 * One row of the `backends` table, whatever its columns hold, as a Backend: a value that is NULL or wrong costs the row
 * its default; one that no traffic can be sent without costs the row. Both are told in a warning, never thrown.
 * docs/routing-database.md holds the table of what is tolerated.
 */
import type { Backend, BackendOverrides } from './backend.js';
import { addressFault } from './address-fault.js';
import { NO_OVERRIDES, OVERRIDE_COLUMNS, readOverrides, type OverrideColumn } from './backend-overrides.js';
import { formatIpAddress, parseIpAddress } from './ip-address.js';
import { unixPathOf } from './unix-path.js';

/** A row that could not be routed, or that lost a value: what was wrong, in words for the log. */
export interface RowWarning {
  /** The row's id where it has one, else its position, for instance `row 3`. */
  readonly row: string;
  readonly column: string;
  readonly reason: string;
  /** True where the row is left out, false where it got a default. */
  readonly isSkipped: boolean;
}

/** In the order of the schema; OPTIONAL_COLUMNS are added to it when a value has to go into them. */
export const BACKEND_COLUMNS = [
  ...(['id', 'app', 'region', 'country', 'wg_ip', 'port'] as const),
  ...(['healthy', 'weight', 'soft_limit', 'hard_limit', 'deleted', 'draining'] as const),
  ...OVERRIDE_COLUMNS,
] as const;
export type BackendColumn = (typeof BACKEND_COLUMNS)[number];

export type OptionalColumn = 'draining' | OverrideColumn;
const OPTIONAL_COLUMNS: ReadonlySet<BackendColumn> = new Set<OptionalColumn>(['draining', ...OVERRIDE_COLUMNS]);

/** Whether a table without that column is nothing to talk about. */
export function isOptional(column: BackendColumn): column is OptionalColumn {
  return OPTIONAL_COLUMNS.has(column);
}

/** A column that the table does not have is absent; its warning is given once for the table, not here. */
export type BackendRow = Readonly<Partial<Record<BackendColumn, unknown>>>;

export const BACKEND_DEFAULTS = {
  app: '',
  region: '',
  country: '',
  healthy: 1,
  weight: 1,
  soft_limit: 100,
  hard_limit: 150,
  deleted: 0,
  draining: 0,
  ...NO_OVERRIDES,
} as const;
type TextColumn = 'app' | 'region' | 'country';
type FlagColumn = 'healthy' | 'deleted' | 'draining';
type CountColumn = 'weight' | 'soft_limit' | 'hard_limit';

/** NULL is what these hold where there is nothing to say, so it is no reason for a warning. */
const MAY_BE_NULL: ReadonlySet<BackendColumn> = new Set(['country', 'draining']);

export const MAX_TEXT_CHARS = 255;
export const MAX_PORT = 65_535;
/** Weights and limits are 32-bit signed words of the routes table. */
export const MAX_COUNT = 2 ** 31 - 1;
/** Control, format, surrogate and line-separating characters: they forge log lines and metrics labels. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const COUNTRY = /^[A-Za-z]{2}$/;
const SHOWN_CHARS = 60;

export interface BackendRowReading {
  /** null where the row is deleted (then without a warning) or cannot be routed (then with one that says so). */
  readonly backend: Backend | null;
  readonly warnings: readonly RowWarning[];
}

/** `position` counts from 1 and names a row that has no id. */
export function readBackendRow(row: BackendRow, position: number): BackendRowReading {
  const id = isPlainText(row.id) && row.id !== '' ? row.id : null;
  const fields = new RowFields(row, id ?? `row ${position}`);
  if (fields.flag('deleted')) return { backend: null, warnings: [] };
  if (id === null) fields.skip('id', row.id === '' ? 'is empty' : textFault(row.id));
  const address = fields.address();
  const port = address !== null && unixPathOf(address) !== null ? 0 : fields.port();
  if (id === null || address === null || port === null) return { backend: null, warnings: fields.warnings };
  const overrides = fields.overrides();
  const backend = {
    id,
    app: fields.text('app'),
    // Region names are in lower case everywhere.
    region: fields.text('region').toLowerCase(),
    country: fields.country(),
    address,
    port,
    isHealthy: fields.flag('healthy'),
    isDraining: fields.flag('draining'),
    weight: fields.count('weight'),
    softLimit: Math.max(1, fields.count('soft_limit')),
    hardLimit: fields.count('hard_limit'),
    ...(overrides === undefined ? {} : { overrides }),
  };
  return { backend, warnings: fields.warnings };
}

export function isDeletedRow(row: BackendRow): boolean {
  return new RowFields(row, '').flag('deleted');
}

/** Whether a value can stand as an id, an app or a region. */
export function isPlainText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_TEXT_CHARS && !UNPRINTABLE.test(value);
}

/** Reads the columns of one row and gathers what was wrong with them. */
class RowFields {
  readonly warnings: RowWarning[] = [];
  readonly #row: BackendRow;
  readonly #label: string;

  constructor(row: BackendRow, label: string) {
    this.#row = row;
    this.#label = label;
  }

  skip(column: BackendColumn, reason: string): null {
    // A column that the whole table lacks has had its warning.
    if (this.#row[column] !== undefined) this.#warn(column, `${reason}; the row is left out`, true);
    return null;
  }

  address(): string | null {
    const value = this.#row.wg_ip;
    if (typeof value !== 'string') return this.skip('wg_ip', typeFault(value, 'text'));
    const fault = addressFault(value);
    if (fault !== null) return this.skip('wg_ip', `${quote(value)} ${fault}`);
    if (unixPathOf(value) !== null) return value;
    const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = parseIpAddress(value) ?? [];
    return formatIpAddress(w0, w1, w2, w3);
  }

  port(): number | null {
    const value = toNumber(this.#row.port);
    if (!Number.isInteger(value)) return this.skip('port', typeFault(this.#row.port, 'a whole number'));
    if (value >= 1 && value <= MAX_PORT) return value;
    return this.skip('port', `${value} is not from 1 to ${MAX_PORT}`);
  }

  text(column: TextColumn): string {
    const value = this.#row[column];
    return isPlainText(value) ? value : this.#fallBack(column, textFault(value));
  }

  country(): string {
    const text = this.text('country');
    if (text === '' || COUNTRY.test(text)) return text.toUpperCase();
    return this.#fallBack('country', `${quote(text)} is not a two-letter country code`);
  }

  flag(column: FlagColumn): boolean {
    const value = this.#row[column];
    if (typeof value === 'boolean') return value;
    const number = toNumber(value);
    if (number === 0 || number === 1) return number === 1;
    const word = typeof value === 'string' ? value.toLowerCase() : '';
    if (word !== 'true' && word !== 'false') return this.#fallBack(column, typeFault(value, '0 or 1')) === 1;
    this.#warn(column, `is the text ${quote(word)}; taken as ${word === 'true' ? 1 : 0}`, false);
    return word === 'true';
  }

  count(column: CountColumn): number {
    const value = toNumber(this.#row[column]);
    if (!Number.isInteger(value)) return this.#fallBack(column, typeFault(this.#row[column], 'a whole number'));
    if (value < 0) return this.#fallBack(column, `${value} is negative`);
    if (value <= MAX_COUNT) return value;
    this.#warn(column, `${value} is too large; taken as ${MAX_COUNT}`, false);
    return MAX_COUNT;
  }

  overrides(): BackendOverrides | undefined {
    return readOverrides(this.#row, (column, expected) => {
      this.#warn(column, `${typeFault(this.#row[column], expected)}; taken as NULL`, false);
    });
  }

  #fallBack<C extends TextColumn | FlagColumn | CountColumn>(column: C, reason: string): (typeof BACKEND_DEFAULTS)[C] {
    const value = this.#row[column];
    const fallback = BACKEND_DEFAULTS[column];
    const isExpected = value === undefined || (value === null && MAY_BE_NULL.has(column));
    if (!isExpected) this.#warn(column, `${reason}; taken as ${fallback === '' ? 'empty' : fallback}`, false);
    return fallback;
  }

  #warn(column: BackendColumn, reason: string, isSkipped: boolean): void {
    this.warnings.push({ row: this.#label, column, reason, isSkipped });
  }
}

/** NaN for what is no number, so that one range check refuses both. */
function toNumber(value: unknown): number {
  if (typeof value === 'number') return value;
  return typeof value === 'bigint' ? Number(value) : NaN;
}

function textFault(value: unknown): string {
  if (typeof value !== 'string') return typeFault(value, 'text');
  return value.length > MAX_TEXT_CHARS
    ? `is longer than ${MAX_TEXT_CHARS} characters`
    : `${quote(value)} holds unprintable characters`;
}

function typeFault(value: unknown, expected: string): string {
  if (value === null) return 'is NULL';
  if (typeof value === 'string') return `is the text ${quote(value)}, expected ${expected}`;
  if (typeof value === 'number' || typeof value === 'bigint') return `is the number ${value}, expected ${expected}`;
  return `is binary data, expected ${expected}`;
}

/** Shortened, and in printable ASCII: nobody may write control sequences into a terminal by way of the database. */
function quote(text: string): string {
  const escaped = JSON.stringify(text.slice(0, SHOWN_CHARS)).replace(/[^\x20-\x7e]/g, escapeUnit);
  return text.length > SHOWN_CHARS ? `${escaped}…` : escaped;
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
