const BLOCK = 0xcc9e2d51;
const SPREAD = 0x1b873593;

/** 32 bits of a text, another 32 for another `seed`: MurmurHash3's mixing over its UTF-16 code units. */
export function textHash(text: string, seed: number): number {
  let hash = seed | 0;
  for (let at = 0; at < text.length; at++) hash = mixIn(hash, text.charCodeAt(at));
  return finish(hash ^ text.length);
}

/** Takes one more word into a hash; finish() must follow the last one. */
export function mixIn(hash: number, word: number): number {
  let mixed = Math.imul(word, BLOCK);
  mixed = Math.imul((mixed << 15) | (mixed >>> 17), SPREAD) ^ hash;
  mixed = (mixed << 13) | (mixed >>> 19);
  return (Math.imul(mixed, 5) + 0xe6546b64) | 0;
}

/** Makes each bit depend on all. */
export function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
