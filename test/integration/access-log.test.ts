/** The access log end to end: a line for each way that a connection can end, with real clients and backends. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { AccessLogFile, type AccessLine } from '../support/access-log.js';
import { ConfigFile } from '../support/config-file.js';
import { blackhole, refused } from '../support/dead-ends.js';
import { treeOf, writeMmdb } from '../support/geo-mmdb-writer.js';
import { connectPeer, PULL_EACH_CHUNK, type Peer } from '../support/peer.js';
import { startProxy, type ProxyProcess } from '../support/proxy-process.js';
import { scratchDirectory } from '../support/scratch-directory.js';
import { startBackend, type TcpBackend } from '../support/tcp-backend.js';
import { echoed, udpPeer } from '../support/udp-peer.js';

const TIME_LIMIT = { timeout: 120_000 };
const HOSTILE_ID = 'b0"}\\,{"end":"forged';
/** Where clients of each fate come from. */
const FROM = {
  unlucky: '127.0.0.2',
  waiting: '127.0.0.3',
  refused: '127.0.0.4',
  homeless: '127.0.0.5',
  denied: '127.0.0.6',
};

interface Front {
  readonly proxy: ProxyProcess;
  readonly backend: TcpBackend;
  readonly log: AccessLogFile;
}

async function startFront(t: TestContext): Promise<Front> {
  const directory = await scratchDirectory(t);
  const log = new AccessLogFile(join(directory, 'access.log'));
  const [backend, hole, dead, datagrams] = await Promise.all([
    startBackend(t),
    blackhole(t),
    refused(),
    udpPeer(t, { answer: echoed }),
  ]);
  const geoPath = join(directory, 'geo.mmdb');
  const country = { network: '127.0.0.0/8', data: 0 };
  writeFileSync(geoPath, writeMmdb({ nodes: treeOf([country], 6), data: [{ country: { iso_code: 'BR' } }] }));
  const file = await ConfigFile.make(t, {});
  const rule = (name: string, from: string, backends: readonly { address: string; port: number }[]): string => {
    const targets = backends.map(
      ({ address, port }, index) => `[[rules.backends]]\nid = "t${index}"\naddress = "${address}:${port}"\n`,
    );
    return `[[rules]]\nname = "${name}"\nrouter = "round_robin"\nmatcher = { type = "source_ip", cidr = "${from}/32" }\n${targets.join('')}`;
  };
  file.writeText(`
[access_log]
output = "${log.path}"
[connect]
timeout_ms = 1000
retries = 1
[access]
deny_cidrs = ["${FROM.denied}/32"]
[[listeners]]
name = "main"
bind = "127.0.0.1:0"
[[listeners]]
name = "idle"
bind = "127.0.0.1:0"
idle_timeout_secs = 3
[[listeners]]
name = "half"
bind = "127.0.0.1:0"
half_close_timeout_secs = 3
[[listeners]]
name = "life"
bind = "127.0.0.1:0"
max_lifetime_secs = 4
[[listeners]]
name = "datagrams"
bind = "127.0.0.1:0"
protocol = "udp"
idle_timeout_secs = 3
${rule('unlucky', FROM.unlucky, [dead, backend])}
${rule('waiting', FROM.waiting, [hole])}
${rule('refused', FROM.refused, [dead])}
[[rules]]
name = "homeless"
app = "none"
matcher = { type = "source_ip", cidr = "${FROM.homeless}/32" }
[[rules]]
name = "datagrams"
protocol = "udp"
[[rules.backends]]
id = "u"
address = "127.0.0.1:${datagrams.port}"
`);
  const env = { EDGEPROXY_LISTEN_ADDR: '', EDGEPROXY_GEOIP_PATH: geoPath, EDGEPROXY_SHUTDOWN_TIMEOUT_SECS: '0.3' };
  const proxy = await startProxy(t, {
    backends: [{ id: HOSTILE_ID, port: backend.port }],
    args: ['--config', file.path],
    env,
  });
  return { proxy, backend, log };
}

interface Pair {
  readonly client: Peer;
  readonly upstream: Peer;
}

/** After five bytes each way. */
async function converse(t: TestContext, { proxy, backend }: Front, listener: string): Promise<Pair> {
  const client = await connectPeer(t, proxy.listener(listener), PULL_EACH_CHUNK);
  const upstream = await backend.nextPeer();
  await client.write('hello');
  await upstream.read(5);
  await upstream.write('there');
  await client.read(5);
  return { client, upstream };
}

function from(localAddress: string): object {
  return { localAddress };
}

/** What lines about these say beside times and ports. */
function fieldsOf(line: AccessLine): object {
  const { time, clientPort, routeMs, connectMs, totalMs, level, msg, ...fields } = line;
  assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual([typeof clientPort, level, msg], ['number', 'info', 'connection']);
  const [route, connect, total] = [routeMs ?? 0, connectMs ?? 0, totalMs].map(Number) as [number, number, number];
  assert.ok(route >= 0 && connect >= 0 && route + connect <= total + 0.002, JSON.stringify(line));
  return fields;
}

describe('the access log', TIME_LIMIT, () => {
  it('has a line for each connection, session and client turned away, which says how it ended', async (t) => {
    const front = await startFront(t);
    const { proxy, backend, log } = front;
    const relayed = {
      protocol: 'tcp',
      client: '127.0.0.1',
      country: 'BR',
      backend: HOSTILE_ID,
      bytesReceived: 5,
      bytesSent: 5,
      retries: 0,
    };
    const expectEnd = async (end: string, listener: string, finish: (pair: Pair) => unknown): Promise<void> => {
      const pair = await converse(t, front, listener);
      const port = pair.client.localPort;
      await finish(pair);
      const line = await log.of(port);
      assert.deepEqual(fieldsOf(line), { ...relayed, listener, end });
      assert.ok('routeMs' in line && 'connectMs' in line);
    };
    // These take their time; meanwhile the others.
    const late: Promise<void>[] = [];
    const asker = await udpPeer(t);
    assert.equal(await asker.ask('what?', proxy.listener('datagrams')), 'what?');
    for (const [end, listener] of [
      ['max_lifetime', 'life'],
      ['idle_timeout', 'idle'],
      ['half_close_timeout', 'half'],
    ] as const) {
      const begun = new Promise<void>((resolve) => {
        late.push(
          expectEnd(end, listener, ({ client }) => {
            resolve();
            return listener === 'half' ? client.end() : undefined;
          }),
        );
      });
      await Promise.race([begun, late.at(-1)]);
    }
    await expectEnd('client_closed', 'main', async ({ client, upstream }) => {
      await client.end();
      await upstream.readToEnd();
      await upstream.end();
    });
    await expectEnd('backend_closed', 'main', async ({ client, upstream }) => {
      await upstream.end();
      await client.readToEnd();
      await client.end();
    });
    await expectEnd('client_reset', 'main', ({ client }) => client.reset());
    await expectEnd('backend_reset', 'main', ({ upstream }) => upstream.reset());

    const rejected = { ...relayed, listener: 'main', backend: undefined, bytesReceived: 0, bytesSent: 0 };
    const expectRejection = async (localAddress: string, fields: object): Promise<void> => {
      // Which may see its reset before its connect.
      await connectPeer(t, proxy.listener('main'), from(localAddress)).catch(() => undefined);
      const line = await log.find(`a line about ${localAddress}`, ({ client }) => client === localAddress);
      assert.deepEqual({ backend: undefined, ...fieldsOf(line) }, { ...rejected, client: localAddress, ...fields });
    };
    await expectRejection(FROM.denied, { end: 'rejected:address_denied' });
    await expectRejection(FROM.homeless, { end: 'rejected:no_backend', rule: 'homeless' });
    await expectRejection(FROM.waiting, {
      end: 'connect_timeout',
      rule: 'waiting',
      backend: 'waiting/t0',
      backendError: 'timeout',
    });
    await expectRejection(FROM.refused, {
      end: 'rejected:connect_failed',
      rule: 'refused',
      backend: 'refused/t0',
      backendError: 'refused',
    });
    for (let turn = 0, hasRetried = false; !hasRetried; turn++) {
      assert.ok(turn < 4, 'every other client goes to the dead backend first');
      const client = await connectPeer(t, proxy.listener('main'), from(FROM.unlucky));
      const upstream = await backend.nextPeer();
      const port = client.localPort;
      client.reset();
      assert.equal(await upstream.ending(), 'ECONNRESET');
      const line = await log.of(port);
      assert.deepEqual([line['rule'], line['backend']], ['unlucky', 'unlucky/t1']);
      hasRetried = line['retries'] === 1;
      if (hasRetried) assert.equal(line['backendError'], 'refused');
    }

    await Promise.all(late);
    const session = await log.of(asker.port);
    assert.deepEqual(fieldsOf(session), {
      ...relayed,
      protocol: 'udp',
      listener: 'datagrams',
      rule: 'datagrams',
      backend: 'datagrams/u',
      end: 'idle_timeout',
      datagramsReceived: 1,
      datagramsSent: 1,
    });

    // What ended before a worker was killed has its line, what dies with it has none, and its successor's come after.
    const early = await converse(t, front, 'main');
    const dying = await Promise.all([1, 2, 3, 4].map(() => connectPeer(t, proxy.listener('main'))));
    await Promise.all(dying.map(() => backend.nextPeer()));
    const earlyPort = early.client.localPort;
    const dyingPorts = dying.map(({ localPort }) => localPort);
    early.upstream.reset();
    assert.equal(await early.client.ending(), 'ECONNRESET');
    for (const pid of proxy.workerPids) process.kill(pid, 'SIGKILL');
    await Promise.all(dying.map((client) => client.ending()));
    assert.equal((await log.of(earlyPort))['end'], 'backend_reset');
    await expectEnd('client_reset', 'main', ({ client }) => client.reset());
    assert.ok(!log.lines.some(({ clientPort }) => dyingPorts.includes(Number(clientPort))));

    const last = await converse(t, front, 'main');
    const lastPort = last.client.localPort;
    assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
    assert.deepEqual(fieldsOf(await log.of(lastPort)), { ...relayed, listener: 'main', end: 'shutdown' });
    assert.ok(!proxy.log.lines.some(({ msg }) => String(msg).includes('access log')));
  });
});
