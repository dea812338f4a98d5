/** The primary's services: one line each. */
import { AccessLogService } from './access-log-service.js';
import { AccessListsService } from './access-lists-service.js';
import { AdmissionUpkeep } from './admission-upkeep.js';
import { ApiService } from './api-service.js';
import { BackendStateKeeper } from './backend-state-keeper.js';
import { DrainService } from './drain-service.js';
import { HealthService } from './health-service.js';
import { MetricsService } from './metrics-service.js';
import { RejectionLog } from './rejection-log.js';
import type { Service, ServiceParts } from './service.js';
import { Watchdog } from './watchdog.js';

type MakeService = (parts: ServiceParts) => Service;

const SERVICES: readonly MakeService[] = [
  // First, for it may refuse a configuration.
  (parts) => new AccessLogService(parts),
  (parts) => new AccessListsService(parts),
  (parts) => new AdmissionUpkeep(parts),
  (parts) => new BackendStateKeeper(parts),
  (parts) => new HealthService(parts),
  (parts) => new RejectionLog(parts),
  (parts) => new Watchdog(parts),
  (parts) => new DrainService(parts),
  (parts) => new MetricsService(parts),
  (parts) => new ApiService(parts),
];

export function makeServices(parts: ServiceParts): readonly Service[] {
  return SERVICES.map((make) => make(parts));
}
