/** Every endpoint: one line for each group. */
import type { BackendDirectory } from '../../../../application/ports/backend-directory.js';
import type { Bindings } from '../../../../application/ports/bindings.js';
import type { Connections } from '../../../../application/ports/connections.js';
import type { ProxyView } from '../../../../application/ports/proxy-view.js';
import type { Reloader } from '../../../../application/ports/reloader.js';
import type { Endpoint } from '../endpoint.js';
import { backendChangeEndpoints } from './backend-change-routes.js';
import { backendEndpoints } from './backend-routes.js';
import { bindingEndpoints } from './binding-routes.js';
import { connectionEndpoints } from './connection-routes.js';
import { discoveryEndpoints } from './discovery-routes.js';
import { healthEndpoints } from './health-routes.js';
import { reloadEndpoints } from './reload-routes.js';
import { stateEndpoints } from './state-routes.js';

/** What the API works on. */
export interface ApiPorts {
  readonly view: ProxyView;
  readonly directory: BackendDirectory;
  readonly connections: Connections;
  readonly bindings: Bindings;
  readonly reloader: Reloader;
}

export function allEndpoints({ view, directory, connections, bindings, reloader }: ApiPorts): readonly Endpoint[] {
  return [
    ...healthEndpoints(view, directory),
    ...discoveryEndpoints(view, directory),
    ...backendEndpoints(view, directory),
    ...backendChangeEndpoints(view, directory),
    ...connectionEndpoints(connections),
    ...bindingEndpoints(bindings),
    ...stateEndpoints(view),
    ...reloadEndpoints(view, reloader),
  ];
}
