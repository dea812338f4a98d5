/**
 * What a new version gets from the old one that started it: descriptors, and a variable that says what they are.
 *
 *     3            Node's channel between the two
 *     4 … end - 1  listening sockets, those of an address side by side, then the control region
 *
 * The two may be of different versions. A protocol that is not this one is refused by the new version, which ends, so that
 * the old one goes on; of fields that it does not know nothing is asked but that their descriptors lie below `end`.
 */
import type { ListenAddress } from '../../application/listener-config.js';
import { EdgeproxyError } from '../../domain/edgeproxy-error.js';
import type { InheritedListener } from '../listening-sockets.js';

export const INHERITANCE_VARIABLE = 'EDGEPROXY_INTERNAL_UPGRADE';
export const FIRST_DESCRIPTOR = 4;
const PROTOCOL = 1;
/** More than the addresses and workers that there can be. */
const MOST_DESCRIPTORS = 1 << 16;

/** What a running version has. */
export interface Estate {
  readonly listeners: readonly InheritedListener[];
  readonly regionFd: number;
}

/** The variable's text, and the descriptors in their places from FIRST_DESCRIPTOR on. */
export interface Legacy {
  readonly text: string;
  readonly fds: readonly number[];
}

export interface Inheritance extends Estate {
  /** Pid of the old version's primary. */
  readonly primaryPid: number;
  /** Inherited descriptors are below. */
  readonly endDescriptor: number;
}

/** As the variable holds it: short, for the kernel limits a variable to 128 KiB. */
interface Wire {
  readonly protocol: number;
  readonly primaryPid: number;
  readonly end: number;
  readonly region: number;
  readonly listeners: readonly WireListener[];
}

interface WireListener {
  readonly id: number;
  readonly wanted: ListenAddress;
  readonly boundPort: number;
  /** These two are not there where an older version says it. */
  readonly boundAddress?: string;
  readonly isHandedOver?: boolean;
  readonly first: number;
  readonly count: number;
}

/** What the old version hands over. */
export function bequeath({ listeners, regionFd }: Estate): Legacy {
  const fds: number[] = [];
  const described = listeners.map(({ listenerId, fds: own, ...rest }): WireListener => {
    const first = FIRST_DESCRIPTOR + fds.length;
    fds.push(...own);
    return { id: listenerId, ...rest, first, count: own.length };
  });
  const region = FIRST_DESCRIPTOR + fds.length;
  fds.push(regionFd);
  const wire: Wire = {
    protocol: PROTOCOL,
    primaryPid: process.pid,
    end: FIRST_DESCRIPTOR + fds.length,
    region,
    listeners: described,
  };
  return { text: JSON.stringify(wire), fds };
}

/** Takes the variable out of the environment, so that no other process gets it; null where nobody started this one so. */
export function takeInheritance(env: NodeJS.ProcessEnv): Inheritance | null {
  const text = env[INHERITANCE_VARIABLE];
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- the name is a constant
  delete env[INHERITANCE_VARIABLE];
  return text === undefined || text === '' ? null : parse(text);
}

function parse(text: string): Inheritance {
  const { protocol, primaryPid, end, region, listeners } = wireOf(text);
  if (protocol !== PROTOCOL) throw inheritanceError(`its protocol is ${String(protocol)} instead of ${PROTOCOL}`);
  const isWhole = [primaryPid, end, region].every(Number.isSafeInteger) && isList(listeners);
  if (!isWhole || end > MOST_DESCRIPTORS || !listeners.every(({ first, count }) => isWithin(first, count, end)))
    throw inheritanceError('it contradicts itself');
  return {
    primaryPid,
    endDescriptor: end,
    regionFd: region,
    listeners: listeners.map(({ id, first, count, ...rest }) => ({
      listenerId: id,
      ...rest,
      fds: Array.from({ length: count }, (_, index) => first + index),
    })),
  };
}

function wireOf(text: string): Wire {
  try {
    return { ...(JSON.parse(text) as Wire) };
  } catch (cause) {
    throw inheritanceError('it is no JSON', cause);
  }
}

function isList(value: unknown): boolean {
  return Array.isArray(value);
}

function isWithin(first: number, count: number, end: number): boolean {
  return first >= FIRST_DESCRIPTOR && count >= 1 && first + count <= end;
}

function inheritanceError(reason: string, cause?: unknown): EdgeproxyError {
  return new EdgeproxyError('EP_UPGRADE', `${INHERITANCE_VARIABLE} cannot be used: ${reason}.`, {
    source: 'internal',
    cause,
  });
}
