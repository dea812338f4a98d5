import type { RateLimit } from '../domain/admission/rate-rule.js';
import type { ProxyConfig } from './proxy-config.js';

/** The rate limit of a configuration, null where it is switched off. */
export function rateLimitOf(config: ProxyConfig): RateLimit | null {
  if (!config.isRateLimitEnabled) return null;
  return {
    maxRequests: config.rateLimitMaxRequests,
    windowSecs: config.rateLimitWindowSecs,
    burst: config.rateLimitBurst,
  };
}
