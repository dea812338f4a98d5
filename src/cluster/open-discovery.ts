import { foreignMessage } from '../adapters/outbound/foreign-message.js';
import type { RegisteredBackends } from '../application/discovery/registered-backends.js';
import type { LimitedLog } from '../application/limited-log.js';
import type { ProxyConfig } from '../application/proxy-config.js';
import { scheduleInBackground } from './schedule.js';
import type { ServiceParts } from './service.js';

/** Who has registered, as the routing database knows it. Its code is loaded only now. */
export async function openDiscovery(
  { dbPath, maxBackends, heartbeatTtlSecs }: ProxyConfig,
  { control, logger }: Pick<ServiceParts, 'control' | 'logger'>,
  log: LimitedLog,
): Promise<RegisteredBackends> {
  const [{ RegisteredBackends: Loaded }, { SqliteRegistrationStore }] = await Promise.all([
    import('../application/discovery/registered-backends.js'),
    import('../adapters/outbound/sqlite/sqlite-registration-store.js'),
  ]);
  const registered = new Loaded({
    store: new SqliteRegistrationStore(dbPath, maxBackends),
    nowMs: () => performance.now(),
    schedule: scheduleInBackground,
    refreshRouting: () => control.refreshRouting(),
    useSilent: (ids) => control.useSilent(ids),
    onFailure: (error, what) => log.write('warn', { reason: foreignMessage(error) }, `auto-discovery: ${what}`),
    onSilent: (silent) => logger.warn({ silent }, 'registered backends are silent: they get no new clients'),
  });
  registered.useTtl(heartbeatTtlSecs);
  await registered.load();
  return registered;
}
