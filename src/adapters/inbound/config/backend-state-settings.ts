import { DRAIN_TIMEOUT_RANGE } from '../../../domain/backend-overrides.js';
import { DAY_SECS, type SomeSettings } from './setting.js';
import { onOff, seconds, wholeNumber } from './value-parser.js';

/** What a backend may do to itself: fail, come back, be drained. */
export const BACKEND_STATE_SETTINGS = {
  isCircuitBreakerEnabled: {
    variable: 'EDGEPROXY_CIRCUIT_BREAKER_ENABLED',
    toml: 'circuit_breaker.enabled',
    appliesAt: 'reload',
    fallback: 'off',
    parser: onOff,
    description: 'a backend that keeps failing gets no new clients for a while',
  },
  circuitFailureThreshold: {
    variable: 'EDGEPROXY_CIRCUIT_FAILURE_THRESHOLD',
    toml: 'circuit_breaker.failure_threshold',
    appliesAt: 'reload',
    fallback: '5',
    parser: wholeNumber(1, 1_000_000),
    description: 'failures in a row that open the breaker: connects that fail, resets before the first byte',
  },
  circuitSuccessThreshold: {
    variable: 'EDGEPROXY_CIRCUIT_SUCCESS_THRESHOLD',
    toml: 'circuit_breaker.success_threshold',
    appliesAt: 'reload',
    fallback: '3',
    parser: wholeNumber(1, 1_000_000),
    description: 'trial connections that must succeed to close it again',
  },
  circuitTimeoutSecs: {
    variable: 'EDGEPROXY_CIRCUIT_TIMEOUT_SECS',
    toml: 'circuit_breaker.timeout_secs',
    appliesAt: 'reload',
    fallback: '30',
    parser: seconds(0.01, DAY_SECS),
    description: 'how long an open breaker waits before it lets trial connections through',
  },
  circuitTrials: {
    variable: 'EDGEPROXY_CIRCUIT_TRIALS',
    toml: 'circuit_breaker.trials',
    appliesAt: 'reload',
    fallback: '3',
    parser: wholeNumber(1, 1_000_000),
    description: 'trial connections that a half-open breaker lets through at a time',
  },
  circuitMaxEjectedPercent: {
    variable: 'EDGEPROXY_CIRCUIT_MAX_EJECTED_PERCENT',
    toml: 'circuit_breaker.max_ejected_percent',
    appliesAt: 'reload',
    fallback: '50',
    parser: wholeNumber(0, 100),
    description: 'most backends whose breaker may be open, as a share of all; at least one',
  },
  panicThresholdPercent: {
    variable: 'EDGEPROXY_PANIC_THRESHOLD_PERCENT',
    toml: 'backends.panic_threshold_percent',
    appliesAt: 'reload',
    fallback: '10',
    parser: wholeNumber(0, 100),
    description: 'with fewer backends available than this share, health checks and breaker are ignored; 0 = never',
  },
  slowStartSecs: {
    variable: 'EDGEPROXY_SLOW_START_SECS',
    toml: 'backends.slow_start_secs',
    appliesAt: 'reload',
    fallback: '0',
    parser: seconds(0, DAY_SECS),
    description: 'how long a backend that came (back) up takes to get its full share of clients; 0 = at once',
  },
  drainTimeoutSecs: {
    variable: 'EDGEPROXY_DRAIN_TIMEOUT_SECS',
    toml: 'backends.drain_timeout_secs',
    appliesAt: 'reload',
    fallback: '0',
    parser: seconds(DRAIN_TIMEOUT_RANGE.min, DRAIN_TIMEOUT_RANGE.max),
    description: 'connections of a draining backend are closed after this time; 0 = never',
  },
} satisfies SomeSettings;
