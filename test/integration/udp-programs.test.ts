/** Programs that people use, through a real proxy: DNS, iperf3, HTTP/3 over QUIC. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { outputOf, program, startProgram } from '../support/program.js';
import { scratchDirectory } from '../support/scratch-directory.js';
import { startUdpProxy } from '../support/udp-proxy.js';

const TIME_LIMIT = { timeout: 300_000 };
/** Longer than what DNS takes without EDNS, and than one Ethernet frame. */
const LONG_TEXT = Array.from({ length: 9 }, (_, n) => String(n).repeat(200));

it('dig asks dnsmasq, short and long', TIME_LIMIT, async (t) => {
  const dig = program('dig', 'bind9-dnsutils');
  const port = await freePort(t);
  startProgram(t, program('dnsmasq', 'dnsmasq-base'), [
    ...['--no-daemon', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--user=', '--group='],
    ...['--listen-address=127.0.0.1', '--bind-interfaces', `--port=${port}`, '--edns-packet-max=4096'],
    ...['--address=/example.test/192.0.2.7', `--txt-record=long.test,${LONG_TEXT.join(',')}`],
  ]);
  const { proxy, udp } = await startUdpProxy(t, { backends: [{ port }] });
  const ask = (...question: readonly string[]): Promise<string> =>
    outputOf(dig, [`@${udp.address}`, '-p', String(udp.port), '+short', '+ignore', '+tries=1', '+time=2', ...question]);
  const answer = await eventually('dnsmasq answers', () => ask('www.example.test').catch(() => undefined));
  assert.equal(answer.trim(), '192.0.2.7');
  const long = await eventually('it answers at length', () =>
    ask('+bufsize=4096', 'long.test', 'TXT').catch(() => undefined),
  );
  assert.equal(long.replaceAll(/[" \n]/g, ''), LONG_TEXT.join(''));
  await eventually('both are counted', () => proxy.counters.total('DATAGRAMS_TO_CLIENTS') >= 2);
});

it('iperf3 sends datagrams, both ways', TIME_LIMIT, async (t) => {
  const iperf3 = program('iperf3', 'iperf3');
  const port = await freePort(t);
  startProgram(t, iperf3, ['--server', '--port', String(port), '--bind', '127.0.0.1']);
  const listen = `127.0.0.1:${await freePort(t)}`;
  const { proxy } = await startUdpProxy(t, { listen, backends: [{ port }] }, listen);
  for (const direction of [[], ['--reverse']]) {
    const args = [
      '--client',
      '127.0.0.1',
      '--port',
      String(proxy.port),
      '--udp',
      '--bitrate',
      '8M',
      '--length',
      '1200',
    ];
    // A machine that is busy with something else loses some, as without a proxy, or has not started the server yet.
    await eventually('nearly all arrive', async () => {
      const told = outputOf(iperf3, [...args, '--bytes', '600000', '--json', ...direction]);
      const report = await told.catch(() => undefined);
      if (report === undefined) return false;
      const { packets, lost_packets: lost } = (
        JSON.parse(report) as { end: { sum: { packets: number; lost_packets: number } } }
      ).end.sum;
      assert.ok(packets >= 500, report);
      return lost <= packets / 10;
    });
  }
  assert.ok(proxy.counters.total('DATAGRAMS_FROM_CLIENTS') >= 450);
  assert.ok(proxy.counters.total('DATAGRAMS_TO_CLIENTS') >= 450);
});

it('a file comes whole over HTTP/3', TIME_LIMIT, async (t) => {
  const client = program('gtlsclient', 'ngtcp2-client');
  const server = program('gtlsserver', 'ngtcp2-server');
  const directory = await scratchDirectory(t);
  const [key, certificate, served, got] = ['key.pem', 'cert.pem', 'served', 'got'].map((name) => join(directory, name));
  assert.ok(key && certificate && served && got);
  const request = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-subj',
    '/CN=localhost',
  ];
  await outputOf(program('openssl', 'openssl'), [...request, '-keyout', key, '-out', certificate]);
  for (const each of [served, got]) mkdirSync(each);
  const content = randomBytes(2_000_000);
  writeFileSync(join(served, 'file'), content);
  const port = await freePort(t);
  startProgram(t, server, ['--quiet', '--htdocs', served, '127.0.0.1', String(port), key, certificate]);
  const { proxy, udp } = await startUdpProxy(t, { backends: [{ port }] });
  await eventually('the file is there', async () => {
    const to = ['--download', got, udp.address, String(udp.port), 'https://localhost/file'];
    await outputOf(client, ['--quiet', '--exit-on-all-streams-close', '--timeout=5s', ...to]).catch(() => undefined);
    return existsSync(join(got, 'file')) && readFileSync(join(got, 'file')).equals(content);
  });
  assert.ok(proxy.counters.total('BYTES_TO_CLIENTS') > content.length);
});
