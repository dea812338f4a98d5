/** Bytes that look random, cost almost nothing and are the same for the same key: an AES-CTR key stream. */
import { createCipheriv, createHash } from 'node:crypto';
import { Readable } from 'node:stream';

const CHUNK_BYTES = 256 << 10;

/** `bytes` bytes of the stream `key`, as buffers of 256 KiB; each is the consumer's. */
export function* randomChunks(key: string, bytes: number): Generator<Buffer> {
  const cipher = createCipheriv('aes-128-ctr', createHash('md5').update(key).digest(), Buffer.alloc(16));
  const zeros = Buffer.alloc(CHUNK_BYTES);
  for (let left = bytes; left > 0; left -= CHUNK_BYTES)
    yield cipher.update(left < CHUNK_BYTES ? zeros.subarray(0, left) : zeros);
}

export function randomStream(key: string, bytes: number): Readable {
  return Readable.from(randomChunks(key, bytes), { objectMode: false, highWaterMark: CHUNK_BYTES });
}

export function randomBuffer(key: string, bytes: number): Buffer {
  return Buffer.concat([...randomChunks(key, bytes)]);
}

/** SHA-256 in hex. */
export function sha256(chunks: Iterable<Uint8Array>): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}
