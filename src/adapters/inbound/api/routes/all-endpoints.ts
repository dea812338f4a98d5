/** Every endpoint: one line for each group. */
import type { ProxyView } from '../../../../application/ports/proxy-view.js';
import type { Endpoint } from '../endpoint.js';
import { backendEndpoints } from './backend-routes.js';
import { healthEndpoints } from './health-routes.js';
import { stateEndpoints } from './state-routes.js';

/** What the API works on. */
export interface ApiPorts {
  readonly view: ProxyView;
}

export function allEndpoints({ view }: ApiPorts): readonly Endpoint[] {
  return [...healthEndpoints(view, () => 0), ...stateEndpoints(view), ...backendEndpoints(view, () => null)];
}
