/** What every Prober has to do, against real servers. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { Probe, Prober, ProbeOutcome } from '../../src/application/ports/prober.js';
import { byteExchange, httpExchange, MAX_ANSWER_BYTES } from '../../src/domain/health/exchange.js';
import { eventually, within } from '../support/eventually.js';
import { stall } from '../support/backend-behaviours.js';
import { refused, type Destination } from '../support/dead-ends.js';
import { scratchDirectory } from '../support/scratch-directory.js';
import { startBackend, type Behaviour } from '../support/tcp-backend.js';
import { tcpEntries } from '../support/tcp-table.js';

const PATIENT_MS = 20_000;
const SHORT_MS = 100;
/** For an answer that settles nothing: it has come by then, however busy this machine is. */
const ENOUGH_MS = 1000;
const HTTP = httpExchange('localhost', '/health', [{ first: 200, last: 299 }]);
const UP: ProbeOutcome = { isUp: true };

const down = (reason: string): ProbeOutcome => ({ isUp: false, reason });

/** Says that at once, and nothing more. */
function says(text: string | Buffer): Behaviour {
  return ({ socket }) => {
    socket.resume();
    socket.write(text);
  };
}

const closesAtOnce: Behaviour = ({ socket }) => void socket.end();
const resetsAtOnce: Behaviour = (peer) => peer.reset();
const isSilent: Behaviour = ({ socket }) => void socket.resume();

/** Never stops sending that, a piece at a time. */
function repeats(text: string, everyMs: number): Behaviour {
  return ({ socket }) => {
    const timer = setInterval(() => socket.write(text), everyMs);
    socket.on('close', () => clearInterval(timer)).on('error', () => undefined);
    socket.resume();
  };
}

export function describeProber(name: string, makeProber: () => Prober): void {
  const ask = (to: Destination, changes: Partial<Probe> = {}): Promise<ProbeOutcome> => {
    const probe = { address: to.address, port: to.port, timeoutMs: PATIENT_MS, exchange: null, ...changes };
    return within('a verdict', new Promise((resolve) => makeProber().start(probe, resolve)), 2 * PATIENT_MS);
  };
  const askOf = async (t: TestContext, behaviour: Behaviour, changes: Partial<Probe>): Promise<ProbeOutcome> => {
    const backend = await startBackend(t, behaviour);
    const outcome = await ask(backend, changes);
    await eventually('nothing is left open', () => backend.peers.every(({ socket }) => isOver(socket)));
    return outcome;
  };

  describe(`${name} as a Prober`, { timeout: 300_000 }, () => {
    for (const host of ['127.0.0.1', '::1']) {
      it(`finds that it can connect to ${host}, and resets the connection`, async (t) => {
        const backend = await startBackend(t, stall, { host });
        assert.deepEqual(await ask(backend), UP);
        const peer = await backend.nextPeer();
        assert.equal(await peer.ending(), 'ECONNRESET');
      });

      it(`finds that ${host} refuses`, async () => {
        assert.deepEqual(await ask(await refused(host)), down('refused'));
      });
    }

    it('tells how long connecting took, and nothing where it did not connect', async (t) => {
      const backend = await startBackend(t, isSilent);
      const probe = { address: backend.address, port: backend.port, timeoutMs: SHORT_MS, exchange: HTTP };
      const told = (): Promise<number | null> =>
        within('a verdict', new Promise((resolve) => makeProber().start(probe, (_, connectMs) => resolve(connectMs))));
      const startedMs = performance.now();
      const connectMs = await told();
      assert.ok(connectMs !== null && connectMs > 0 && connectMs < performance.now() - startedMs);
      await backend.stopListening();
      assert.equal(await told(), null);
    });

    it('asks at a path as at a port, and says what is wrong with one', async (t) => {
      const directory = await scratchDirectory(t);
      const path = join(directory, 'app.sock');
      const backend = await startBackend(t, says('HTTP/1.1 204 No Content\r\n\r\n'), { path });
      assert.deepEqual(await ask(backend), UP);
      assert.deepEqual(await ask(backend, { exchange: HTTP }), UP);
      await eventually('nothing is left open', () => backend.peers.every(({ socket }) => isOver(socket)));
      assert.deepEqual(await ask(backend, { address: `unix:${directory}/other.sock` }), down('unreachable'));
      assert.deepEqual(await ask(backend, { address: `unix:${path}/below` }), down('unreachable'));
      writeFileSync(join(directory, 'file'), '');
      assert.deepEqual(await ask(backend, { address: `unix:${directory}/file` }), down('refused'));
    });

    it('takes a connection that is closed or reset at once for one', async (t) => {
      assert.deepEqual(await askOf(t, closesAtOnce, {}), UP);
      const outcome = await askOf(t, resetsAtOnce, {});
      assert.ok(outcome.isUp === true || (outcome.isUp === false && outcome.reason === 'reset'));
    });

    it('reads a status, from an answer in one piece and from one that drips', async (t) => {
      const well = 'HTTP/1.1 204 No Content\r\n\r\n';
      assert.deepEqual(await askOf(t, says(well), { exchange: HTTP }), UP);
      const drip: Behaviour = async ({ socket }) => {
        socket.resume();
        for (const byte of well) {
          if (!socket.writable) return;
          await new Promise((resolve) => socket.write(byte, resolve));
        }
      };
      assert.deepEqual(await askOf(t, drip, { exchange: HTTP }), UP);
      const ill = says('HTTP/1.0 503 Service Unavailable\r\nContent-Length: 1000\r\n\r\n');
      assert.deepEqual(await askOf(t, ill, { exchange: HTTP }), down('status 503'));
    });

    it('waits for no end of a body', async (t) => {
      const endless: Behaviour = (peer) => {
        peer.socket.write('HTTP/1.1 200 OK\r\n\r\n');
        return repeats('x'.repeat(65_536), 1)(peer);
      };
      assert.deepEqual(await askOf(t, endless, { exchange: HTTP }), UP);
    });

    it('sends what is to be sent, byte by byte as given, and finds what is expected', async (t) => {
      const echoes: Behaviour = ({ socket }) => void socket.pipe(socket);
      const send = '\0PING\r\n\xff';
      assert.deepEqual(await askOf(t, echoes, { exchange: byteExchange(send, send) }), UP);
      const greets = says(Buffer.from('220 mail.example.org\r\n'));
      assert.deepEqual(await askOf(t, greets, { exchange: byteExchange('', '220 ') }), UP);
      const wrong = byteExchange('', '250 ');
      assert.deepEqual(
        await askOf(t, greets, { exchange: wrong, timeoutMs: ENOUGH_MS }),
        down('answered, but not "250 "'),
      );
      assert.deepEqual(await askOf(t, isSilent, { exchange: wrong, timeoutMs: SHORT_MS }), down('timeout'));
    });

    it('finds what is expected in the body of a page, and says when it is not there', async (t) => {
      const exchange = httpExchange('localhost', '/', [{ first: 200, last: 200 }], '"ok"');
      const page = says('HTTP/1.1 200 "ok"\r\n\r\n{"status":"ok"}');
      assert.deepEqual(await askOf(t, page, { exchange }), UP);
      const lack = down('answered, but not "\\x22ok\\x22"');
      const head = says('HTTP/1.1 200 "ok"\r\n\r\n');
      assert.deepEqual(await askOf(t, head, { exchange, timeoutMs: ENOUGH_MS }), lack);
      const other: Behaviour = ({ socket }) => void socket.resume().end('HTTP/1.1 200 OK\r\n\r\n{"status":"ill"}');
      assert.deepEqual(await askOf(t, other, { exchange }), lack);
      const sick = says('HTTP/1.1 503 x\r\n\r\n"ok"');
      assert.deepEqual(await askOf(t, sick, { exchange }), down('status 503'));
    });

    it('is not fooled by what is no answer', async (t) => {
      const exchange = HTTP;
      assert.deepEqual(await askOf(t, says(Buffer.alloc(100_000, 0x90)), { exchange }), down('the answer is not HTTP'));
      assert.deepEqual(await askOf(t, closesAtOnce, { exchange }), down('closed without an answer'));
      const cut: Behaviour = ({ socket }) => void socket.resume().end('HTTP/1.1 200 OK\r\n');
      assert.deepEqual(await askOf(t, cut, { exchange }), down('closed in the middle of the answer'));
      const outcome = await askOf(t, resetsAtOnce, { exchange });
      assert.ok(outcome.isUp === false && /^(reset|closed without an answer)$/.test(outcome.reason));
    });

    it('reads no more than it may of an answer that settles nothing', async (t) => {
      const longHead: Behaviour = (peer) => {
        peer.socket.write('HTTP/1.1 200 OK\r\n');
        return repeats('X-Padding: endless\r\n'.repeat(100), 1)(peer);
      };
      assert.deepEqual(await askOf(t, longHead, { exchange: HTTP }), down('the answer is too long'));
      const late = says(`${'.'.repeat(MAX_ANSWER_BYTES)}OK`);
      assert.deepEqual(await askOf(t, late, { exchange: byteExchange('', 'OK') }), down('the answer is too long'));
    });

    it('has one time for all of it', async (t) => {
      const short = { exchange: HTTP, timeoutMs: SHORT_MS };
      assert.deepEqual(await askOf(t, isSilent, short), down('timeout'));
      const slow: Behaviour = (peer) => {
        peer.socket.write('HTTP/1.1 200 OK\r\n');
        return repeats('X-Slow: drip\r\n', 20)(peer);
      };
      assert.deepEqual(await askOf(t, slow, short), down('timeout'));
      // TEST-NET-1, which no host has (RFC 5737): no answer or no way.
      const nowhere = await ask(await startBackend(t), { address: '192.0.2.1', timeoutMs: SHORT_MS });
      assert.ok(nowhere.isUp === false, JSON.stringify(nowhere));
    });

    it('takes an answer that is there when the time is over, because this process was late', async (t) => {
      const backend = await startBackend(t, isSilent);
      const asked = ask(backend, { timeoutMs: 10 });
      // The kernel connects them meanwhile.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
      assert.deepEqual(await asked, UP);
    });

    it('says nothing once it is given up, and leaves nothing open', async (t) => {
      const backend = await startBackend(t, stall);
      let said = 0;
      const probe = { address: backend.address, port: backend.port, timeoutMs: SHORT_MS, exchange: HTTP };
      const waiting = makeProber().start({ ...probe, timeoutMs: PATIENT_MS }, () => said++);
      const peer = await backend.nextPeer();
      await peer.read(HTTP.request.length);
      waiting();
      assert.equal(await peer.ending(), 'ECONNRESET');
      const connecting = makeProber().start(probe, () => said++);
      connecting();
      connecting();
      await new Promise((resolve) => setTimeout(resolve, 2 * SHORT_MS));
      assert.equal(said, 0);
    });

    it('leaves no connection in TIME_WAIT', async (t) => {
      const ports: number[] = [];
      const answers = says('HTTP/1.1 200 OK\r\n\r\n');
      const backend = await startBackend(t, (peer) => {
        ports.push(peer.socket.remotePort ?? 0);
        return answers(peer);
      });
      for (let checks = 0; checks < 50; checks++) {
        assert.deepEqual(await ask(backend, { exchange: checks % 2 === 0 ? HTTP : null }), UP);
      }
      // Other programs of this machine have the port of the backend on their side of some connection.
      const isOurs = (one: number, other: number): boolean => one === backend.port && ports.includes(other);
      const left = tcpEntries(backend.port)
        .filter(({ state }) => state === 'time-wait')
        .filter(({ localPort, remotePort }) => isOurs(localPort, remotePort) || isOurs(remotePort, localPort));
      assert.deepEqual(left, []);
    });
  });
}

function isOver(socket: Socket): boolean {
  return socket.destroyed || socket.readableEnded;
}
