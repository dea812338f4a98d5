/** With the rate limit of the default numbers, 100 connections a second of an address. */
import { edgeproxyWith } from './edgeproxy.js';

const GUARDED = {
  works: ['flood'],
  env: { EDGEPROXY_RATE_LIMIT_ENABLED: 'on', EDGEPROXY_MAX_TRACKED_CLIENTS: '524288' },
};

export const edgeproxyHandoffGuarded = edgeproxyWith('handoff', {
  ...GUARDED,
  name: 'edgeproxy-handoff-guarded',
  summary: 'this proxy, --accept handoff, EDGEPROXY_RATE_LIMIT_ENABLED=on (100/s of an address)',
});
export const edgeproxyReuseportGuarded = edgeproxyWith('reuseport', {
  ...GUARDED,
  name: 'edgeproxy-reuseport-guarded',
  summary: 'this proxy, --accept reuseport, EDGEPROXY_RATE_LIMIT_ENABLED=on (100/s of an address)',
});
