/** No proxy: what the load generator and the backend cost by themselves. */
import type { ProxyDefinition } from '../src/model.js';

export const direct: ProxyDefinition = {
  name: 'direct',
  summary: 'client and backend without a proxy',
  isContext: true,
  missing: () => undefined,
  version: () => '',
  prepare: () => undefined,
};
