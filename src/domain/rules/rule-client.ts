import { formatIpAddress } from '../ip-address.js';
import { ALPN_AT, NAME_BYTES, REQUEST, REQUEST_FLAG, REQUEST_WORDS } from '../shared/batch-layout.js';
import type { RuleProtocol } from './rule-programs.js';
import { protocolsOf, textOf } from './server-names.js';

/** A client as the function of a custom rule sees it. */
export interface RuleClient {
  /** Canonical; an IPv4 client of a socket for both families is one of IPv4. */
  readonly address: string;
  readonly port: number;
  /** The listener's name and protocol. */
  readonly listener: string;
  readonly protocol: RuleProtocol;
  /** The address that it connected to; '' where that is not known. */
  readonly destination: string;
  /** What its ClientHello asks for: '' and none where it has sent none. */
  readonly isTls: boolean;
  readonly serverName: string;
  readonly alpn: readonly string[];
}

/** Whether a custom rule matches. Anything but true is no. */
export type ClientMatcher = (client: RuleClient) => unknown;

export function describeClient(
  requests: Int32Array,
  names: Uint8Array,
  request: number,
  listener: { readonly name: string; readonly protocol: RuleProtocol },
): RuleClient {
  const nameAt = (request / REQUEST_WORDS) * NAME_BYTES;
  const alpnBytes = Math.min(requests[request + REQUEST.ALPN_LENGTH] ?? 0, NAME_BYTES - ALPN_AT);
  return {
    address: addressOf(requests, request + REQUEST.ADDRESS),
    port: requests[request + REQUEST.PORT] ?? 0,
    listener: listener.name,
    protocol: listener.protocol,
    destination: isKnown(requests, request + REQUEST.DESTINATION)
      ? addressOf(requests, request + REQUEST.DESTINATION)
      : '',
    isTls: ((requests[request + REQUEST.FLAGS] ?? 0) & REQUEST_FLAG.TLS) !== 0,
    serverName: textOf(names, nameAt, Math.min(requests[request + REQUEST.NAME_LENGTH] ?? 0, ALPN_AT)),
    alpn: protocolsOf(names, nameAt + ALPN_AT, alpnBytes),
  };
}

/** Whether an address stands there: nobody comes from or to the unspecified one. */
export function isKnown(requests: Int32Array, at: number): boolean {
  return ((requests[at] ?? 0) | (requests[at + 1] ?? 0) | (requests[at + 2] ?? 0) | (requests[at + 3] ?? 0)) !== 0;
}

function addressOf(requests: Int32Array, at: number): string {
  return formatIpAddress(requests[at] ?? 0, requests[at + 1] ?? 0, requests[at + 2] ?? 0, requests[at + 3] ?? 0);
}
