/** Every endpoint: one line for each group. */
import type { Bindings } from '../../../../application/ports/bindings.js';
import type { Connections } from '../../../../application/ports/connections.js';
import type { ProxyView } from '../../../../application/ports/proxy-view.js';
import type { Endpoint } from '../endpoint.js';
import { backendEndpoints } from './backend-routes.js';
import { bindingEndpoints } from './binding-routes.js';
import { connectionEndpoints } from './connection-routes.js';
import { healthEndpoints } from './health-routes.js';
import { stateEndpoints } from './state-routes.js';

/** What the API works on. */
export interface ApiPorts {
  readonly view: ProxyView;
  readonly connections: Connections;
  readonly bindings: Bindings;
}

export function allEndpoints({ view, connections, bindings }: ApiPorts): readonly Endpoint[] {
  return [
    ...healthEndpoints(view, () => 0),
    ...stateEndpoints(view),
    ...backendEndpoints(view, () => null),
    ...connectionEndpoints(connections),
    ...bindingEndpoints(bindings),
  ];
}
