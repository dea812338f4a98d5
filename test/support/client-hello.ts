/**
 * What a ClientHello asks for, read a second time: written from RFC 8446, 6066 and 7301, without a look at native/engine, in
 * the simplest way there is.
 */
export interface ReadHello {
  readonly name: string;
  readonly protocols: readonly string[];
  /** FNV-1a of the legacy session id, 0 = none. */
  readonly session: number;
}

const MAX_MESSAGE_BYTES = 16_384;
const WINDOW_BYTES = MAX_MESSAGE_BYTES + 1024;
const ALPN_BYTES = 256;

/** null where the bytes do not begin with a whole, well-formed ClientHello. */
export function readHello(sent: Buffer): ReadHello | null {
  try {
    const bytes = sent.subarray(0, WINDOW_BYTES);
    if ((bytes.readUInt8(0) & 0x80) !== 0) {
      const isSslV2 = bytes.readUInt8(2) === 1 && bytes.readUInt8(3) === 3 && bytes.length >= 5;
      return isSslV2 ? { name: '', protocols: [], session: 0 } : null;
    }
    return readMessage(new Cursor(messageOf(bytes)));
  } catch (error) {
    if (error instanceof Malformed || error instanceof RangeError) return null;
    throw error;
  }
}

class Malformed extends Error {}

class Cursor {
  #at = 0;
  constructor(readonly bytes: Buffer) {}

  get isAtEnd(): boolean {
    return this.#at === this.bytes.length;
  }
  number(width: number): number {
    const value = this.bytes.readUIntBE(this.#at, width);
    this.#at += width;
    return value;
  }
  take(count: number): Buffer {
    if (this.#at + count > this.bytes.length) throw new Malformed();
    this.#at += count;
    return this.bytes.subarray(this.#at - count, this.#at);
  }
  vector(width: number): Buffer {
    return this.take(this.number(width));
  }
}

/** Out of its records, without its header. */
function messageOf(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const length = bytes.readUInt16BE(at + 3);
    if (bytes[at] !== 22 || bytes[at + 1] !== 3 || length === 0 || length > 16_384) throw new Malformed();
    parts.push(bytes.subarray(at + 5, at + 5 + length));
    const message = Buffer.concat(parts);
    if (message.length >= 4 && message.readUIntBE(1, 3) > MAX_MESSAGE_BYTES) throw new Malformed();
    if (message.length >= 4 && message.length >= 4 + message.readUIntBE(1, 3)) {
      if (message[0] !== 1) throw new Malformed();
      return message.subarray(4, 4 + message.readUIntBE(1, 3));
    }
    at += 5 + length;
  }
}

function readMessage(cursor: Cursor): ReadHello {
  const isTls = cursor.number(2) >> 8 === 3;
  cursor.take(32);
  const sessionId = cursor.vector(1);
  const ciphers = cursor.vector(2);
  const compressions = cursor.vector(1);
  const isWell = isTls && sessionId.length <= 32 && ciphers.length > 0 && ciphers.length % 2 === 0;
  if (!isWell || compressions.length === 0) throw new Malformed();
  const bodies = cursor.isAtEnd ? new Map<number, Buffer>() : extensionsOf(onlyVectorIn(cursor));
  return {
    name: leniently(() => nameIn(bodies.get(0)), ''),
    protocols: leniently(() => protocolsIn(bodies.get(16)), []),
    session: sessionId.length === 0 ? 0 : fnv1a(sessionId) || 1,
  };
}

function extensionsOf(extensions: Cursor): Map<number, Buffer> {
  const bodies = new Map<number, Buffer>();
  while (!extensions.isAtEnd) {
    const type = extensions.number(2);
    if ((type === 0 || type === 16) && bodies.has(type)) throw new Malformed();
    bodies.set(type, extensions.vector(2));
  }
  return bodies;
}

function leniently<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof Malformed || error instanceof RangeError) return otherwise;
    throw error;
  }
}

/** What stands behind its length, and nothing behind that. */
function onlyVectorIn(cursor: Cursor): Cursor {
  const content = cursor.vector(2);
  if (!cursor.isAtEnd) throw new Malformed();
  return new Cursor(content);
}

function bodyOrNone(body: Buffer | undefined): Cursor {
  return new Cursor(body ?? Buffer.of(0, 0));
}

function nameIn(body: Buffer | undefined): string {
  const names = onlyVectorIn(bodyOrNone(body));
  while (!names.isAtEnd) {
    const type = names.number(1);
    const text = names.vector(2).toString('latin1');
    if (type !== 0) continue;
    const name = text
      .replace(/:[0-9]{1,5}$/, '')
      .replace(/\.$/, '')
      .toLowerCase();
    return /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(name) && name.length <= 255 ? name : '';
  }
  return '';
}

function protocolsIn(body: Buffer | undefined): string[] {
  const list = onlyVectorIn(bodyOrNone(body));
  const protocols: string[] = [];
  while (!list.isAtEnd) {
    const protocol = list.vector(1);
    if (protocol.length === 0) throw new Malformed();
    protocols.push(protocol.toString('latin1'));
  }
  let bytes = 0;
  return protocols.filter((protocol) => (bytes += 1 + protocol.length) <= ALPN_BYTES);
}

function fnv1a(bytes: Buffer): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash | 0;
}
