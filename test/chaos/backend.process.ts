/**
 * A backend of the chaos run, in a process of its own that can be killed and stopped. It greets, reads what is announced,
 * answers as it is asked to, and tells its parent of every upload that ended too early or held other bytes than sent.
 */
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Peer, PULL_EACH_CHUNK } from '../support/peer.js';
import type { BackendCommand, BackendNote } from './backend.js';
import {
  greetingOf,
  HEADER_BYTES,
  readHeader,
  StreamContent,
  terminatorOf,
  type StreamHeader,
} from './stream-content.js';
import { ContentCheck, Head, sendContent } from './stream-ends.js';

const [seed = '', host = '', port = ''] = process.argv.slice(2);
const BIND_TRIES = 50;
const BIND_PAUSE_MS = 100;

const content = new StreamContent(seed);
const live = new Set<ServedStream>();
process.on('disconnect', () => process.exit());
process.on('message', ({ resetPercent }: BackendCommand) => {
  for (const stream of live) if (Math.random() * 100 < resetPercent) stream.reset();
});

const server = createServer({ allowHalfOpen: true, noDelay: true, ...PULL_EACH_CHUNK }, (socket) => {
  const stream = new ServedStream(new Peer(socket));
  live.add(stream);
  void stream.serve().finally(() => live.delete(stream));
});
let tries = 0;
server.on('error', (error: NodeJS.ErrnoException) => {
  // Somebody may have the port for a moment; it is the one that the routing table names.
  if (error.code !== 'EADDRINUSE' || ++tries > BIND_TRIES) throw error;
  void delay(BIND_PAUSE_MS).then(listen);
});
server.on('listening', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') tell({ type: 'listening', port: address.port });
});
listen();

function listen(): void {
  server.listen({ host, port: Number(port), backlog: 4096 });
}

function tell(note: BackendNote): void {
  process.send?.(note);
}

class ServedStream {
  readonly #peer: Peer;
  readonly #head = new Head(HEADER_BYTES);
  #header: StreamHeader | null = null;
  #check: ContentCheck | null = null;
  #answer: Promise<void> | null = null;
  #hasReset = false;

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  async serve(): Promise<void> {
    const peer = this.#peer;
    try {
      await peer.writeSlowly(greetingOf(process.pid));
      for await (const chunk of peer.chunks()) if (!this.#take(chunk)) return this.reset();
      if ((await peer.ending()) === 'end' && !this.#hasReset) await this.#end();
      else this.reset();
    } catch {
      // It broke, which every connection here may.
      this.reset();
    }
  }

  reset(): void {
    this.#hasReset = true;
    this.#peer.reset();
  }

  /** Whether the bytes are as they should be. */
  #take(chunk: Buffer): boolean {
    let rest = chunk;
    if (this.#check === null) {
      const taken = this.#head.take(chunk);
      if (taken.head === null) return true;
      const header = readHeader(taken.head);
      if (header === null) return this.#complain(0, `no header: ${taken.head.toString('hex')}`);
      this.#header = header;
      this.#check = new ContentCheck(content, header.id, 'up', header.upBytes);
      rest = taken.rest;
      if (header.order === 'together') this.#startAnswer(header);
    }
    const fault = this.#check.take(rest);
    const { id = 0, order } = this.#header ?? {};
    if (fault !== null) return this.#complain(id, fault);
    if (this.#check.isComplete && order === 'after-bytes' && this.#header !== null) this.#startAnswer(this.#header);
    return true;
  }

  /** The client has ended. */
  async #end(): Promise<void> {
    const header = this.#header;
    if (header === null) {
      // Nothing at all is a health check, or a client that changed its mind.
      if (this.#head.taken > 0) this.#complain(0, `ended after ${this.#head.taken} bytes of its header`);
    } else if (this.#check?.isComplete !== true) {
      if (!header.mayCutUp) this.#complain(header.id, `ended after ${this.#check?.taken ?? 0} of ${header.upBytes} up`);
    } else {
      this.#startAnswer(header);
      await this.#answer;
      return;
    }
    this.reset();
  }

  #startAnswer(header: StreamHeader): void {
    this.#answer ??= this.#sendAnswer(header).catch(() => this.reset());
  }

  async #sendAnswer({ id, downBytes, downPaceMs, resetAt }: StreamHeader): Promise<void> {
    const part = { id, flow: 'down', from: 0, to: resetAt ?? downBytes, paceMs: downPaceMs } as const;
    await sendContent(this.#peer, content, part, () => undefined);
    if (resetAt !== null) return this.reset();
    await this.#peer.writeSlowly(terminatorOf(id));
    this.#peer.socket.end();
  }

  #complain(id: number, fault: string): false {
    tell({ type: 'violation', id, fault });
    return false;
  }
}
