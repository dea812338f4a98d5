import { parseIpAddress } from './ip-address.js';
import { unixPathFault, unixPathOf } from './unix-path.js';

/** Why no connection can be made to an address literal or `unix:/path`, or null where one can. */
export function addressFault(text: string): string | null {
  const path = unixPathOf(text);
  return path === null ? ipFault(text) : unixPathFault(path);
}

function ipFault(text: string): string | null {
  const words = parseIpAddress(text);
  if (words === null) return 'is not an IPv4 or IPv6 address or unix:/path';
  const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = words;
  if (w0 === 0 && w1 === 0 && w2 === 0xffff) return ipv4Fault(w3);
  if (w0 === 0 && w1 === 0 && w2 === 0 && w3 === 0) return 'is the unspecified address';
  if (w0 >>> 24 === 0xff) return 'is a multicast address';
  return w0 >>> 22 === 0xfe80 >>> 6 ? 'is link-local, which means nothing without an interface' : null;
}

/** 240.0.0.0/4 is left alone: Linux connects to it, and some networks number their hosts from it. */
function ipv4Fault(word: number): string | null {
  if (word >>> 24 === 0) return 'is the unspecified address';
  if (word >>> 28 === 0xe) return 'is a multicast address';
  return word === 0xffffffff ? 'is the broadcast address' : null;
}
