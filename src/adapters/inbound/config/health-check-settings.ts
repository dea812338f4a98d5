import { CHECK_INTERVAL_RANGE, CHECK_PATH, CHECK_TYPES } from '../../../domain/backend-overrides.js';
import { parseByteText } from '../../../domain/health/byte-text.js';
import { parseStatusRanges, type StatusRange } from '../../../domain/health/status-ranges.js';
import type { SomeSettings } from './setting.js';
import { matching, onOff, oneOf, seconds, wholeNumber, type Parsed, type ValueParser } from './value-parser.js';

const MAX_BYTES = 1024;

const statusRanges: ValueParser<readonly StatusRange[]> = {
  expected: 'HTTP statuses and ranges of them, comma-separated: 200,204,300-399',
  parse: (text) => validUnlessNull(parseStatusRanges(text)),
  format: (ranges) => ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(','),
};
const byteText: ValueParser<string> = {
  expected: `printable ASCII, with \\r \\n \\t \\\\ and \\xNN for other bytes; at most ${MAX_BYTES} bytes`,
  parse: (text) => validUnlessNull(parseByteText(text, MAX_BYTES)),
};

function validUnlessNull<T>(value: T | null): Parsed<T> {
  return value === null ? { isValid: false } : { isValid: true, value };
}

/** Active health checks. */
export const HEALTH_CHECK_SETTINGS = {
  isHealthCheckEnabled: {
    variable: 'EDGEPROXY_HEALTH_CHECK_ENABLED',
    toml: 'health_check.enabled',
    appliesAt: 'reload',
    fallback: 'off',
    parser: onOff,
    description: 'backends are asked whether they are well; one that is not gets no new clients',
  },
  healthCheckIntervalSecs: {
    variable: 'EDGEPROXY_HEALTH_CHECK_INTERVAL_SECS',
    toml: 'health_check.interval',
    appliesAt: 'reload',
    fallback: '5',
    parser: seconds(CHECK_INTERVAL_RANGE.min, CHECK_INTERVAL_RANGE.max),
    description: 'time between two checks of a backend',
  },
  healthCheckTimeoutSecs: {
    variable: 'EDGEPROXY_HEALTH_CHECK_TIMEOUT_SECS',
    toml: 'health_check.timeout',
    appliesAt: 'reload',
    fallback: '2',
    parser: seconds(0.01, 600),
    description: 'a check without an answer for this long has failed',
  },
  healthCheckAttempts: {
    variable: 'EDGEPROXY_HEALTH_CHECK_RETRIES',
    toml: 'health_check.retries',
    appliesAt: 'reload',
    fallback: '1',
    // 0 means 1: a check that never asks could not succeed.
    parser: wholeNumber(0, 100),
    description: 'times that a check asks, at once after a failure, before it has failed; 0 as 1',
  },
  healthCheckType: {
    variable: 'EDGEPROXY_HEALTH_CHECK_TYPE',
    toml: 'health_check.type',
    appliesAt: 'reload',
    fallback: 'tcp',
    parser: oneOf(CHECK_TYPES),
    description: 'tcp: connects; http: asks for a page and looks at the status',
  },
  healthCheckPath: {
    variable: 'EDGEPROXY_HEALTH_CHECK_PATH',
    toml: 'health_check.path',
    appliesAt: 'reload',
    fallback: '/health',
    parser: matching(CHECK_PATH, 'a path that begins with / and has no blanks'),
    description: 'what an http check asks for',
  },
  healthCheckStatus: {
    variable: 'EDGEPROXY_HEALTH_CHECK_STATUS',
    toml: 'health_check.status',
    appliesAt: 'reload',
    fallback: '200',
    parser: statusRanges,
    description: 'statuses of a backend that is well',
  },
  healthCheckSend: {
    variable: 'EDGEPROXY_HEALTH_CHECK_SEND',
    toml: 'health_check.send',
    appliesAt: 'reload',
    fallback: '',
    parser: byteText,
    description: 'what a tcp check sends once it is connected; nothing unless given',
  },
  healthCheckExpect: {
    variable: 'EDGEPROXY_HEALTH_CHECK_EXPECT',
    toml: 'health_check.expect',
    appliesAt: 'reload',
    fallback: '',
    parser: byteText,
    description:
      'what the answer, of an http check its body, must contain; of tcp with something to send any answer, else none, unless given',
  },
  healthyThreshold: {
    variable: 'EDGEPROXY_HEALTH_HEALTHY_THRESHOLD',
    toml: 'health_check.success_threshold',
    appliesAt: 'reload',
    fallback: '2',
    parser: wholeNumber(1, 1000),
    description: 'checks in a row that must succeed before a backend that was down is up',
  },
  unhealthyThreshold: {
    variable: 'EDGEPROXY_HEALTH_UNHEALTHY_THRESHOLD',
    toml: 'health_check.failure_threshold',
    appliesAt: 'reload',
    fallback: '3',
    parser: wholeNumber(1, 1000),
    description: 'checks in a row that must fail before a backend that was up is down',
  },
  doesHealthCloseConnections: {
    variable: 'EDGEPROXY_HEALTH_CLOSE_CONNECTIONS',
    toml: 'health_check.close_connections',
    appliesAt: 'reload',
    fallback: 'off',
    parser: onOff,
    description: 'a backend that goes down loses its connections too',
  },
} satisfies SomeSettings;
