/**
 * What a service manager (systemd) hands to a process that it starts: variables that say where to report to, how often to
 * show a sign of life, and which descriptors are listening sockets. See sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3).
 */
import { EdgeproxyError } from '../../domain/edgeproxy-error.js';

export interface HandedOver {
  /** A path or @abstract; null where nobody listens. */
  readonly notifySocket: string | null;
  /** A sign of life is due within this time; null where nobody waits for one. */
  readonly watchdogMs: number | null;
  /** The names of the sockets, which are the descriptors from FIRST_SOCKET on; '' for one without a name. */
  readonly socketNames: readonly string[];
}

/** SD_LISTEN_FDS_START. */
export const FIRST_SOCKET = 3;
const VARIABLES = [
  'NOTIFY_SOCKET',
  'WATCHDOG_USEC',
  'WATCHDOG_PID',
  'LISTEN_PID',
  'LISTEN_FDS',
  'LISTEN_FDNAMES',
] as const;
type Variable = (typeof VARIABLES)[number];
/** More than there can be listeners and workers. */
const MOST_SOCKETS = 1 << 16;
const WHOLE_NUMBER = /^[1-9]\d{0,14}$/;

/**
 * Takes the variables out of the environment: they are this process's alone. Those that are meant for another pid, which
 * has forgotten to do the same, count as absent. Throws EP_SOCKET_ACTIVATION where LISTEN_FDS is no number.
 */
export function takeHandedOver(env: NodeJS.ProcessEnv, pid: number): HandedOver {
  const texts = new Map(VARIABLES.map((name) => [name, env[name] ?? '']));
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- the names are constants
  for (const name of VARIABLES) delete env[name];
  const textOf = (name: Variable): string => texts.get(name) ?? '';
  const isMine = (name: Variable): boolean => textOf(name) === String(pid);
  // The watchdog's variable may be absent, the sockets' may not.
  const hasWatchdog = textOf('WATCHDOG_PID') === '' || isMine('WATCHDOG_PID');
  return {
    notifySocket: /^[/@]./.test(textOf('NOTIFY_SOCKET')) ? textOf('NOTIFY_SOCKET') : null,
    watchdogMs: hasWatchdog ? millisOf(textOf('WATCHDOG_USEC')) : null,
    socketNames: isMine('LISTEN_PID') ? namesOf(textOf('LISTEN_FDS'), textOf('LISTEN_FDNAMES')) : [],
  };
}

/** For a newer version, which takes this one's place: it has another pid, and its sockets come another way. */
export function toHandOn({ notifySocket, watchdogMs }: HandedOver): Readonly<Record<string, string>> {
  return {
    ...(notifySocket === null ? {} : { NOTIFY_SOCKET: notifySocket }),
    ...(watchdogMs === null ? {} : { WATCHDOG_USEC: String(watchdogMs * 1000) }),
  };
}

function millisOf(micros: string): number | null {
  return WHOLE_NUMBER.test(micros) ? Number(micros) / 1000 : null;
}

function namesOf(count: string, names: string): readonly string[] {
  if (count === '' || count === '0') return [];
  if (!WHOLE_NUMBER.test(count) || Number(count) > MOST_SOCKETS) {
    const message = `LISTEN_FDS: expected the number of sockets, up to ${MOST_SOCKETS}.`;
    throw new EdgeproxyError('EP_SOCKET_ACTIVATION', message, { source: 'config' });
  }
  const all = names.split(':');
  return Array.from({ length: Number(count) }, (_, index) => all[index] ?? '');
}
