/** With connections to the backend opened ahead, as many as the default allows. */
import { edgeproxyWith } from './edgeproxy.js';

export const edgeproxyPool = edgeproxyWith('handoff', {
  name: 'edgeproxy-pool',
  summary: 'this proxy, --accept handoff, EDGEPROXY_POOL_ENABLED=on',
  works: ['remote', 'remote-beyond'],
  env: { EDGEPROXY_POOL_ENABLED: 'on' },
});
