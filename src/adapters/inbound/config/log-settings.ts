import type { SomeSettings } from './setting.js';
import { filePath, oneOf, orNone, wholeNumber } from './value-parser.js';

export const LOG_SETTINGS = {
  logLevel: {
    variable: 'EDGEPROXY_LOG_LEVEL',
    toml: 'logging.level',
    appliesAt: 'reload',
    flag: { name: '--log-level', short: '-l', argument: 'L' },
    fallback: 'info',
    parser: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    description: 'least severity that is logged',
  },
  logFormat: {
    variable: 'EDGEPROXY_LOG_FORMAT',
    toml: 'logging.format',
    appliesAt: 'start',
    flag: { name: '--log-format', argument: 'FORMAT' },
    fallback: 'pretty on a terminal, else json',
    resolveFallback: (host) => (host.isTerminal ? 'pretty' : 'json'),
    parser: oneOf(['pretty', 'json']),
    description: 'one line for people or one JSON object per event, to standard output',
  },
  logFile: {
    variable: 'EDGEPROXY_LOG_FILE',
    toml: 'logging.file',
    appliesAt: 'start',
    fallback: 'none',
    parser: orNone(filePath),
    description: 'file that the log goes to instead of standard output',
  },
  logMaxMegabytes: {
    variable: 'EDGEPROXY_LOG_MAX_SIZE',
    toml: 'logging.max_size',
    appliesAt: 'reload',
    fallback: '100',
    parser: wholeNumber(1, 1_000_000),
    description: 'megabytes after which that file is renamed and a new one is begun',
  },
  logMaxFiles: {
    variable: 'EDGEPROXY_LOG_MAX_FILES',
    toml: 'logging.max_files',
    appliesAt: 'reload',
    fallback: '10',
    parser: wholeNumber(1, 1000),
    description: 'renamed files that are kept',
  },
} satisfies SomeSettings;
