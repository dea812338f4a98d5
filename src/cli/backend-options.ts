/** The values that `edgeproxy backend` takes: one table for the options, their checks and `--help`. */
import { Option } from 'commander';
import { quoteValue } from '../adapters/inbound/config/quote-value.js';
import { SETTINGS } from '../adapters/inbound/config/settings.js';
import { lowerCase, wholeNumber } from '../adapters/inbound/config/value-parser.js';
import type { ValueParser } from '../adapters/inbound/config/value-parser.js';
import { addressFault } from '../domain/address-fault.js';
import { BACKEND_DEFAULTS, isPlainText, MAX_COUNT, MAX_PORT, MAX_TEXT_CHARS } from '../domain/backend-row.js';
import type { BackendColumn } from '../domain/backend-row.js';

export type BackendOptionName =
  | ('id' | 'app' | 'region' | 'country' | 'ip' | 'port' | 'weight' | 'soft-limit' | 'hard-limit')
  | 'close-after'
  | ('health-port' | 'health-interval' | 'health-type' | 'health-path');
/** Options as commander hands them over, by its camel-cased names. */
export type TypedOptions = Readonly<Record<string, unknown>>;
export type ColumnValues = Partial<Record<BackendColumn, string | number | null>>;

interface BackendOption {
  readonly name: BackendOptionName;
  readonly argument: string;
  readonly column: BackendColumn;
  readonly parser: ValueParser<string | number | null>;
  readonly description: string;
}

const DATABASE = SETTINGS.dbPath;
const COUNTRY = /^([A-Za-z]{2})?$/;

const plainText: ValueParser<string> = {
  expected: `at most ${MAX_TEXT_CHARS} printable characters`,
  parse: (text) => (isPlainText(text) ? { isValid: true, value: text } : { isValid: false }),
};
const idText: ValueParser<string> = {
  expected: `1 to ${MAX_TEXT_CHARS} printable characters`,
  parse: (text) => (text === '' ? { isValid: false } : plainText.parse(text)),
};
const country: ValueParser<string> = {
  expected: 'a two-letter country code (ISO 3166-1), or nothing',
  parse: (text) => (COUNTRY.test(text) ? { isValid: true, value: text.toUpperCase() } : { isValid: false }),
};
const address: ValueParser<string> = {
  expected: 'the IPv4 or IPv6 address of one host, or unix:/path',
  parse(text) {
    const reason = addressFault(text);
    return reason === null ? { isValid: true, value: text } : { isValid: false, reason: `it ${reason}` };
  },
};
const count = wholeNumber(0, MAX_COUNT);
/** Gives up what the backend has of its own. */
const SETTING_AGAIN = 'default';

const OPTIONS: readonly BackendOption[] = [
  { name: 'id', argument: 'ID', column: 'id', parser: idText, description: 'unique name' },
  { name: 'app', argument: 'APP', column: 'app', parser: plainText, description: 'application it belongs to' },
  {
    name: 'region',
    argument: 'REGION',
    column: 'region',
    parser: lowerCase(plainText),
    description: 'region, for instance sa; taken in lower case',
  },
  { name: 'country', argument: 'CC', column: 'country', parser: country, description: 'country, for instance BR' },
  {
    name: 'ip',
    argument: 'ADDR',
    column: 'wg_ip',
    parser: address,
    description: 'IPv4 or IPv6 address, or unix:/path',
  },
  { name: 'port', argument: 'PORT', column: 'port', parser: wholeNumber(1, MAX_PORT), description: 'port' },
  {
    name: 'weight',
    argument: 'N',
    column: 'weight',
    parser: count,
    description: `share of the load; 0 takes no new clients (default ${BACKEND_DEFAULTS.weight})`,
  },
  {
    name: 'soft-limit',
    argument: 'N',
    column: 'soft_limit',
    parser: count,
    description: `connections it is comfortable with (default ${BACKEND_DEFAULTS.soft_limit})`,
  },
  {
    name: 'hard-limit',
    argument: 'N',
    column: 'hard_limit',
    parser: count,
    description: `most connections; 0 is unlimited (default ${BACKEND_DEFAULTS.hard_limit})`,
  },
  {
    name: 'health-port',
    argument: 'PORT',
    column: 'health_port',
    parser: orSetting(wholeNumber(1, MAX_PORT)),
    description: `where health checks go, unless to its port`,
  },
  {
    name: 'health-interval',
    argument: 'SECS',
    column: 'health_interval_secs',
    parser: orSetting(SETTINGS.healthCheckIntervalSecs.parser),
    description: `time between health checks, unless ${SETTINGS.healthCheckIntervalSecs.variable}`,
  },
  {
    name: 'health-type',
    argument: 'TYPE',
    column: 'health_type',
    parser: orSetting(SETTINGS.healthCheckType.parser),
    description: `tcp or http, unless ${SETTINGS.healthCheckType.variable}`,
  },
  {
    name: 'health-path',
    argument: 'PATH',
    column: 'health_path',
    parser: orSetting(SETTINGS.healthCheckPath.parser),
    description: `what http checks ask for, unless ${SETTINGS.healthCheckPath.variable}`,
  },
];

const CLOSE_AFTER: BackendOption = {
  name: 'close-after',
  argument: 'SECS',
  column: 'drain_timeout_secs',
  parser: SETTINGS.drainTimeoutSecs.parser,
  description: `close what is left after this time, unless ${SETTINGS.drainTimeoutSecs.variable}; 0 = never`,
};

/** Options without commander's own checks: `readBackendOptions` names every wrong one at once. */
export function backendOptions(except: readonly BackendOptionName[] = []): Option[] {
  return OPTIONS.filter(({ name }) => !except.includes(name)).map(toOption);
}

export function closeAfterOption(): Option {
  return toOption(CLOSE_AFTER);
}

export function databaseOption(): Option {
  return new Option('--db <FILE>', `routing database (default ${DATABASE.variable} or ${DATABASE.fallback})`);
}

/** The columns' values, and a sentence for every option that is wrong or missing. */
export interface BackendOptionsReading {
  readonly values: ColumnValues;
  readonly problems: readonly string[];
}

export function readBackendOptions(typed: TypedOptions, required: readonly BackendOptionName[]): BackendOptionsReading {
  return readOptions(OPTIONS, typed, required);
}

export function readCloseAfter(typed: TypedOptions): BackendOptionsReading {
  return readOptions([CLOSE_AFTER], typed, []);
}

function readOptions(
  options: readonly BackendOption[],
  typed: TypedOptions,
  required: readonly BackendOptionName[],
): BackendOptionsReading {
  const values: ColumnValues = {};
  const problems: string[] = [];
  for (const option of options) {
    const { name, column, parser } = option;
    const text = typed[toOption(option).attributeName()];
    if (typeof text !== 'string') {
      if (required.includes(name)) problems.push(`--${name} is required; expected ${parser.expected}`);
      continue;
    }
    const parsed = parser.parse(text);
    if (parsed.isValid) values[column] = parsed.value;
    else problems.push(invalid(`--${name}`, text, parser, parsed.reason));
  }
  return { values, problems };
}

/** Where the routing database is: flag, environment, default. */
export function readDatabasePath(
  typed: TypedOptions,
  env: Readonly<Record<string, string | undefined>>,
): { readonly path: string; readonly problems: readonly string[] } {
  const flag = typeof typed['db'] === 'string' ? typed['db'] : null;
  const path = flag ?? (env[DATABASE.variable] || DATABASE.fallback);
  const isValid = DATABASE.parser.parse(path).isValid;
  return {
    path,
    problems: isValid ? [] : [invalid(flag === null ? DATABASE.variable : '--db', path, DATABASE.parser)],
  };
}

function invalid(name: string, text: string, { expected }: ValueParser<unknown>, reason?: string): string {
  const because = reason === undefined ? '' : ` (${reason})`;
  return `${name}: ${quoteValue(text)} is not valid${because}; expected ${expected}`;
}

function toOption({ name, argument, description }: BackendOption): Option {
  return new Option(`--${name} <${argument}>`, description);
}

/** Hoisted: the table above is made of it. */
function orSetting(parser: ValueParser<string | number>): ValueParser<string | number | null> {
  return {
    expected: `${parser.expected}, or ${SETTING_AGAIN}`,
    parse: (text) => (text === SETTING_AGAIN ? { isValid: true, value: null } : parser.parse(text)),
  };
}
