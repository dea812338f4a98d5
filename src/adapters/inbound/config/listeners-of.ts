import type {
  ListenAddress,
  ListenerConfig,
  ListenerLimits,
  ListenerProtocol,
} from '../../../application/listener-config.js';
import type { ProxyConfig } from '../../../application/proxy-config.js';
import { MAX_LISTENERS } from '../../../domain/shared/layout.js';
import { formatListenAddress, overlap, overlapReason } from './listen-address.js';
import { quoteValue } from './quote-value.js';
import { SETTINGS } from './settings.js';
import type { FileListener } from './structures/listeners.js';

type Scalars = Omit<ProxyConfig, 'isDemo' | 'listeners' | 'rules'>;

/** How long a ClientHello may take: a round trip more than a connect, for who is far away. */
const HELLO_TIMEOUT_MS = 5000;
const MAX_SESSIONS_PER_CLIENT = 1024;

/** What a listener has that says nothing of its own. */
export function defaultLimits(config: Scalars): ListenerLimits {
  return {
    maxConnections: config.maxConnectionsPerListener,
    connectTimeoutMs: config.connectTimeoutMs,
    connectTotalTimeoutMs: config.connectTotalTimeoutMs,
    idleTimeoutSecs: config.idleTimeoutSecs,
    halfCloseTimeoutSecs: config.halfCloseTimeoutSecs,
    maxLifetimeSecs: config.maxLifetimeSecs,
    helloTimeoutMs: HELLO_TIMEOUT_MS,
    maxSessionsPerClient: MAX_SESSIONS_PER_CLIENT,
  };
}

/** Those of `listen` and `udpListen`, then the file's. */
export function listenersOf(config: Scalars, inFile: readonly FileListener[]): readonly ListenerConfig[] {
  const tcp = defaultLimits(config);
  const limits = { tcp, udp: { ...tcp, idleTimeoutSecs: config.udpIdleTimeoutSecs } };
  const taken = new Set<string>();
  return allOf(config, inFile).map(({ name, protocol, address, limits: own }) => {
    return {
      name: free(name ?? defaultName(protocol, address), taken),
      protocol,
      address,
      limits: { ...limits[protocol], ...own },
    };
  });
}

/** Several addresses with port 0 are written alike. */
function free(name: string, taken: Set<string>): string {
  let unique = name;
  for (let count = 2; taken.has(unique); count++) unique = `${name} (${count})`;
  taken.add(unique);
  return unique;
}

/** What is wrong about all of them together; of addresses that are wrong themselves nothing is said again. */
export function listenerProblems(
  config: Partial<Pick<Scalars, 'listen' | 'udpListen'>>,
  inFile: readonly FileListener[],
): string[] {
  const all = allOf(config, inFile);
  if (all.length === 0 && config.listen !== undefined && config.udpListen !== undefined) {
    return ['no address to listen on; expected server.tcp_bind, server.udp_bind or [[listeners]]'];
  }
  const problems = inFile.flatMap((listener) => problemsBefore(listener, all.slice(0, all.indexOf(listener))));
  if (all.length > MAX_LISTENERS)
    problems.push(`${all.length} addresses to listen on; expected at most ${MAX_LISTENERS}`);
  return problems;
}

/** Within `listen` and within `udpListen` the parser has looked. */
function problemsBefore(listener: FileListener, others: readonly FileListener[]): string[] {
  const problems: string[] = [];
  const nameOf = ({ name, protocol, address }: FileListener): string => name ?? defaultName(protocol, address);
  const twin = others.find((other) => nameOf(other) === nameOf(listener) && listener.name !== null);
  if (twin !== undefined) {
    problems.push(
      `${listener.place}.name: found ${quoteValue(nameOf(listener))}; expected another than that of ${twin.place}`,
    );
  }
  const overlapping = others.find(
    (other) => other.protocol === listener.protocol && overlap(other.address, listener.address),
  );
  if (overlapping !== undefined) {
    const reason = overlapReason(overlapping.address, listener.address);
    problems.push(`${listener.place}.bind: ${reason}; expected an address that ${overlapping.place} leaves free`);
  }
  return problems;
}

function allOf(
  { listen = [], udpListen = [] }: Partial<Pick<Scalars, 'listen' | 'udpListen'>>,
  inFile: readonly FileListener[],
): readonly FileListener[] {
  return [
    ...listen.map((address) => settingListener('tcp', address)),
    ...udpListen.map((address) => settingListener('udp', address)),
    ...inFile,
  ];
}

function settingListener(protocol: ListenerProtocol, address: ListenAddress): FileListener {
  const { toml } = protocol === 'tcp' ? SETTINGS.listen : SETTINGS.udpListen;
  return { place: toml, name: null, protocol, address, limits: {} };
}

/** As the address is written: what the log calls it. */
function defaultName(protocol: ListenerProtocol, address: ListenAddress): string {
  return `${protocol} ${formatListenAddress(address)}`;
}
