/** UDP echo: what a datagram costs, there and back. HAProxy relays no UDP; both accept modes of this proxy are the same for it. */
import type { ProxyWork } from '../model.js';
import { loadWork } from './load-work.js';

/**
 * Under way together, over all clients: as many as the default buffer of a socket holds of 1,200 bytes with the kernel's own
 * part of each (2.3 kB), so that nothing is dropped for being sent too fast.
 */
const UNDER_WAY = 64;
const DIRECTIONS = 2;
const PROXIES: readonly string[] = ['direct', 'nginx', 'edgeproxy-reuseport'];

function datagramWork(name: string, clients: number, size: number): ProxyWork {
  const window = UNDER_WAY / clients;
  const whose = clients === 1 ? 'one client' : `${clients} clients`;
  const work = loadWork({
    name,
    title: `${size.toLocaleString('en-US')} B echo over UDP, ${whose}, ${UNDER_WAY} datagrams under way`,
    backend: 'datagram',
    columns: [
      { key: 'rate', title: 'datagrams/s', better: 'higher', digits: 0 },
      { key: 'p50Us', title: 'p50 µs', better: 'lower', digits: 0 },
      { key: 'p99Us', title: 'p99 µs', better: 'lower', digits: 0 },
      { key: 'systemCpu', title: 'system CPU µs/datagram', better: 'lower', digits: 2 },
      { key: 'ownCpu', title: 'own CPU µs/datagram', better: 'lower', digits: 2 },
      { key: 'proxyCpu', title: 'proxy CPU µs/datagram', better: 'lower', digits: 2 },
      { key: 'peakMb', title: 'peak MB', digits: 1 },
    ],
    load: () => ({ mode: 'datagram', connections: clients, window, size }),
    // An echo is two datagrams.
    amount: (report) => {
      const datagrams = DIRECTIONS * report.units;
      return { rate: { rate: datagrams / report.seconds }, units: datagrams };
    },
  });
  return { ...work, suits: (proxy) => PROXIES.includes(proxy) };
}

export const datagramWorks: readonly ProxyWork[] = [
  datagramWork('udp-64', UNDER_WAY, 64),
  datagramWork('udp-1200', UNDER_WAY, 1_200),
  datagramWork('udp-one-64', 1, 64),
  datagramWork('udp-one-1200', 1, 1_200),
];
