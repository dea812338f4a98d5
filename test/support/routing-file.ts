/** Routing databases for tests, made with the proxy's own code. */
import { createRoutingDatabase } from '../../src/adapters/outbound/sqlite/routing-schema.js';
import type { Backend } from '../../src/domain/backend.js';

/** A backend of which a test names only what matters to it. */
export type BackendSpec = Partial<Backend> & Pick<Backend, 'port'>;

const DEFAULTS: Omit<Backend, 'id' | 'port'> = {
  app: 'test',
  region: 'sa',
  country: '',
  address: '127.0.0.1',
  isHealthy: true,
  isDraining: false,
  weight: 1,
  softLimit: 100,
  hardLimit: 0,
};

/** Writes a new database; ids are b0, b1, … unless given. */
export function writeRoutingFile(path: string, specs: readonly BackendSpec[]): void {
  const backends = specs.map((spec, index) => ({ ...DEFAULTS, id: `b${index}`, ...spec }));
  if (!createRoutingDatabase(path, backends)) throw new Error(`${path} exists`);
}
