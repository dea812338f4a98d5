import { ACCESS_FORMATS } from '../../../domain/access-log/access-lines.js';
import type { SomeSettings } from './setting.js';
import { filePath, oneOf, wholeNumber, type ValueParser } from './value-parser.js';

const OFF = 'off';

const output: ValueParser<string | null> = {
  expected: `${OFF}, stdout, stderr, or ${filePath.expected}`,
  parse: (text) => (text === OFF ? { isValid: true, value: null } : filePath.parse(text)),
  format: (value) => value ?? OFF,
};

export const ACCESS_LOG_SETTINGS = {
  accessLog: {
    variable: 'EDGEPROXY_ACCESS_LOG',
    toml: 'access_log.output',
    appliesAt: 'reload',
    flag: { name: '--access-log', argument: 'FILE' },
    fallback: OFF,
    parser: output,
    description: 'where one line goes for each connection, UDP session and client turned away',
  },
  accessLogFormat: {
    variable: 'EDGEPROXY_ACCESS_LOG_FORMAT',
    toml: 'access_log.format',
    appliesAt: 'reload',
    fallback: 'json',
    parser: oneOf(ACCESS_FORMATS),
    description: 'one JSON object per line, or fields in a fixed order',
  },
  accessLogMaxMegabytes: {
    variable: 'EDGEPROXY_ACCESS_LOG_MAX_SIZE',
    toml: 'access_log.max_size',
    appliesAt: 'reload',
    fallback: '100',
    parser: wholeNumber(1, 1_000_000),
    description: 'megabytes after which that file is renamed and a new one is begun',
  },
  accessLogMaxFiles: {
    variable: 'EDGEPROXY_ACCESS_LOG_MAX_FILES',
    toml: 'access_log.max_files',
    appliesAt: 'reload',
    fallback: '10',
    parser: wholeNumber(1, 1000),
    description: 'renamed files that are kept',
  },
} satisfies SomeSettings;
