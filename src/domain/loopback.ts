import { parseIpAddress } from './ip-address.js';

const IPV4_MAPPED = 0xffff;
const LOOPBACK_NETWORK = 127;

/** Whether an address, as a literal, is one that only this host can reach: 127.0.0.0/8, ::1, ::ffff:127.0.0.0/104. */
export function isLoopback(address: string): boolean {
  const words = parseIpAddress(address);
  if (words === null) return false;
  const [w0, w1, w2, w3 = 0] = words;
  if (w0 !== 0 || w1 !== 0) return false;
  return w2 === IPV4_MAPPED ? w3 >>> 24 === LOOPBACK_NETWORK : w2 === 0 && w3 === 1;
}
