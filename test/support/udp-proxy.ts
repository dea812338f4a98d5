import { startProxy, type ProxyOptions, type ProxyProcess } from './proxy-process.js';
import type { Owner } from './scratch-directory.js';
import type { Place } from './udp-peer.js';

export interface UdpProxy {
  readonly proxy: ProxyProcess;
  /** Where it takes datagrams. */
  readonly udp: Place;
}

/** A proxy with one UDP listener beside the TCP one. */
export async function startUdpProxy(owner: Owner, options: ProxyOptions, listen = '127.0.0.1:0'): Promise<UdpProxy> {
  const env = { EDGEPROXY_UDP_LISTEN_ADDR: listen, ...options.env };
  const proxy = await startProxy(owner, { ...options, env });
  const udp = proxy.listen[1];
  if (udp === undefined) throw new Error('the proxy has no UDP listener');
  return { proxy, udp };
}
