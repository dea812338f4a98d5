/** TLS passed through by the name in the ClientHello: what the look at it costs a connection. Nobody does any cryptography. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clientHello } from '../client-hello.js';
import type { ProxyWork } from '../model.js';
import { siteNames, VISITED_SITE } from '../site-names.js';
import { countedColumns, loadWork } from './load-work.js';

const IN_FLIGHT = 64;
const PROXIES: readonly string[] = ['direct', 'haproxy', 'nginx', 'edgeproxy-reuseport', 'edgeproxy-handoff'];

function serverNameWork(size: number): ProxyWork {
  const name = `sni-${size}`;
  const { bytes, firstPart } = clientHello(VISITED_SITE, size);
  const segments = firstPart < size ? 'two segments' : 'one segment';
  const work = loadWork({
    name,
    title:
      `connect + ClientHello of ${size.toLocaleString('en-US')} B in ${segments}, one of ${siteNames.length} names + ` +
      `8 B back + close, ${IN_FLIGHT} in flight`,
    backend: 'hello',
    columns: countedColumns('connection'),
    load: ({ directory }) => {
      const question = join(directory, `${name}.bin`);
      writeFileSync(question, bytes);
      return { mode: 'hello', connections: IN_FLIGHT, question, 'first-part': firstPart };
    },
  });
  return { ...work, suits: (proxy) => PROXIES.includes(proxy) };
}

export const serverNameWorks: readonly ProxyWork[] = [serverNameWork(517), serverNameWork(1_800)];
