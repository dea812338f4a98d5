/**
 * Socket activation: listening sockets that the service manager has opened, and keeps open over a restart, so that clients
 * wait instead of being refused. Each must be a listener of the configuration, by its name (FileDescriptorName=) or by protocol,
 * address and port. One that is not is an error: the service manager listens there, and its clients would wait for ever.
 */
import { formatListenAddress } from '../../adapters/inbound/config/listen-address.js';
import type { NativeAddon, NativeError, NativeHandedSocket } from '../../adapters/outbound/native/native-addon.js';
import type { ListenAddress, ListenerConfig, ListenerProtocol } from '../../application/listener-config.js';
import type { Logger } from '../../application/ports/logger.js';
import type { ProxyConfig } from '../../application/proxy-config.js';
import { EdgeproxyError } from '../../domain/edgeproxy-error.js';
import type { InheritedListener } from '../listening-sockets.js';
import { FIRST_SOCKET } from './handed-over.js';

export interface HandedSocket extends ListenAddress {
  readonly fd: number;
  readonly name: string;
  readonly protocol: ListenerProtocol;
}

type Parts = { readonly native: NativeAddon; readonly logger: Logger };
type Described = { readonly socket: HandedSocket } | { readonly problem: string };

/** Throws EP_SOCKET_ACTIVATION with everything that is wrong; the descriptors are this process's own, close-on-exec. */
export function takeHandedSockets(
  names: readonly string[],
  config: ProxyConfig,
  { native, logger }: Parts,
): readonly InheritedListener[] {
  const described = names.map((name, index) => describe(FIRST_SOCKET + index, name, native));
  const sockets = described.flatMap((each) => ('socket' in each ? [each.socket] : []));
  for (const { fd } of sockets) native.setCloseOnExec(fd);
  const { inherited, problems } = matchSockets(sockets, config.listeners);
  const all = [...described.flatMap((each) => ('problem' in each ? [each.problem] : [])), ...problems];
  if (all.length === 0) {
    for (const listener of inherited) warnOfFewer(listener, config, logger);
    return inherited;
  }
  const message = `The sockets handed over by the service manager cannot be used: ${all.join('; ')}.`;
  throw new EdgeproxyError('EP_SOCKET_ACTIVATION', message, { source: 'config' });
}

/** Which listener has which of them; pure. */
export function matchSockets(
  sockets: readonly HandedSocket[],
  listeners: readonly ListenerConfig[],
): { readonly inherited: readonly InheritedListener[]; readonly problems: readonly string[] } {
  const groups = new Map<ListenerConfig, HandedSocket[]>();
  const problems: string[] = [];
  for (const socket of sockets) {
    const listener = listenerOf(socket, listeners);
    const first = listener && groups.get(listener)?.[0];
    if (listener === undefined)
      problems.push(`${textOf(socket)} is no listener of the configuration, which has ${listOf(listeners)}`);
    else if (first === undefined) groups.set(listener, [socket]);
    else if (isSame(first, socket)) groups.get(listener)?.push(socket);
    else problems.push(`${textOf(first)} and ${textOf(socket)} are both named ${listener.name}; expected one address`);
  }
  const inherited = [...groups].map(([{ address, protocol }, group], listenerId) => ({
    listenerId,
    wanted: { ...address, protocol },
    boundAddress: group[0]?.address ?? address.address,
    boundPort: group[0]?.port ?? address.port,
    fds: group.map(({ fd }) => fd),
    isHandedOver: true,
  }));
  return { inherited, problems };
}

/** Whose kernel spreads the clients wants one for each worker. */
function warnOfFewer({ wanted, fds }: InheritedListener, { workers, accept }: ProxyConfig, logger: Logger): void {
  const isUdp = wanted.protocol === 'udp';
  if (fds.length >= workers || (!isUdp && accept === 'handoff')) return;
  const consequence = isUdp ? 'the other workers get none of its clients' : 'the primary accepts for all';
  const context = { listen: formatListenAddress(wanted), sockets: fds.length, workers };
  logger.warn(context, `fewer sockets were handed over than there are workers: ${consequence}`);
}

function listenerOf(socket: HandedSocket, listeners: readonly ListenerConfig[]): ListenerConfig | undefined {
  const named = listeners.find(({ name, protocol }) => name === socket.name && protocol === socket.protocol);
  return named ?? listeners.find(({ address, protocol }) => isSame({ ...address, protocol }, socket));
}

function isSame(one: Omit<HandedSocket, 'fd' | 'name'>, other: HandedSocket): boolean {
  return one.protocol === other.protocol && one.port === other.port && one.address === other.address;
}

function describe(fd: number, name: string, native: NativeAddon): Described {
  try {
    const socket = native.describeSocket(fd);
    const { address, port } = socket;
    const protocol = protocolOf(socket);
    if (protocol !== null) return { socket: { fd, name, protocol, address, port } };
    return {
      problem: `descriptor ${fd} (${name}) is ${kindOf(socket)}; expected a listening TCP socket or a UDP socket`,
    };
  } catch (error) {
    const { errnoCode } = error as NativeError;
    return { problem: `descriptor ${fd} (${name}) is no socket (${errnoCode}); LISTEN_FDS counts it` };
  }
}

function protocolOf({ family, type, isListening }: NativeHandedSocket): ListenerProtocol | null {
  if (family !== 'ipv4' && family !== 'ipv6') return null;
  if (type === 'datagram') return 'udp';
  return type === 'stream' && isListening ? 'tcp' : null;
}

function kindOf({ family, type, isListening }: NativeHandedSocket): string {
  if (family === 'unix') return 'a Unix socket';
  if (family === 'other' || type !== 'stream' || isListening) return 'a socket of another kind';
  return 'a TCP socket that does not listen (of a unit with Accept=yes?)';
}

function textOf({ name, protocol, ...address }: HandedSocket): string {
  const named = name === '' ? '' : ` (${name})`;
  return `${protocol} ${formatListenAddress(address)}${named}`;
}

function listOf(listeners: readonly ListenerConfig[]): string {
  if (listeners.length === 0) return 'none';
  return listeners.map(({ protocol, address }) => `${protocol} ${formatListenAddress(address)}`).join(', ');
}
