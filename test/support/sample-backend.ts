import type { Backend } from '../../src/domain/backend.js';

export const SAMPLE_BACKEND: Backend = {
  id: 'sa-1',
  app: 'shop',
  region: 'sa',
  country: 'BR',
  address: '10.0.0.1',
  port: 8080,
  isHealthy: true,
  isDraining: false,
  weight: 2,
  softLimit: 50,
  hardLimit: 80,
};
