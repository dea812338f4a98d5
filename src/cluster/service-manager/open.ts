import type { ProxyConfig } from '../../application/proxy-config.js';
import type { InheritedListener } from '../listening-sockets.js';
import type { ProxyParts } from '../proxy.js';
import type { HandedOver } from './handed-over.js';
import type { ServiceManager } from './service-manager.js';

type Parts = Pick<ProxyParts, 'native' | 'logger'>;

/** Loaded only where a service manager wants to be told. */
export async function openServiceManager(
  { notifySocket, watchdogMs }: HandedOver,
  { native, logger }: Parts,
): Promise<ServiceManager | null> {
  if (notifySocket === null) return null;
  const { ServiceManager } = await import('./service-manager.js');
  return new ServiceManager({ native, logger, socket: notifySocket, watchdogMs });
}

/** Loaded only where a service manager has opened them. Throws EP_SOCKET_ACTIVATION. */
export async function handedSockets(
  { socketNames }: HandedOver,
  config: ProxyConfig,
  parts: Parts,
): Promise<readonly InheritedListener[]> {
  if (socketNames.length === 0) return [];
  const { takeHandedSockets } = await import('./handed-sockets.js');
  return takeHandedSockets(socketNames, config, parts);
}
