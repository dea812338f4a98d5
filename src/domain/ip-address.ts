/**
 * IPv4 and IPv6 literals as the four 32-bit words that the routes table holds: host order, most significant first, IPv4
 * as ::ffff:a.b.c.d. Written out here because rules may not import node:net, and because `fe80::1%eth0`, which
 * node:net takes for an address, names an interface of one machine and is refused.
 */

const IPV4_LITERAL = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;
const IPV6_GROUP = /^[0-9a-f]{1,4}$/i;
const IPV6_GROUPS = 8;
/** The longest literal, `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255`; anything longer is refused unread. */
const MAX_LITERAL_CHARS = 45;
const MAPPED_PREFIX = 0xffff;

/** The four words of a literal, or null where it is none. Leading zeros in IPv4 (octal to some) and zone ids are refused. */
export function parseIpAddress(text: string): Uint32Array | null {
  if (text.length > MAX_LITERAL_CHARS) return null;
  if (!text.includes(':')) {
    const word = parseIpv4(text);
    return word === null ? null : Uint32Array.of(0, 0, MAPPED_PREFIX, word);
  }
  const groups = parseIpv6(text);
  return groups === null ? null : packGroups(groups);
}

/** The canonical literal (RFC 5952); ::ffff:a.b.c.d is written a.b.c.d. Words may be signed, as an Int32Array holds them. */
export function formatIpAddress(w0: number, w1: number, w2: number, w3: number): string {
  if (w0 === 0 && w1 === 0 && w2 === MAPPED_PREFIX) return formatIpv4(w3);
  return compressGroups([w0, w1, w2, w3].flatMap((word) => [word >>> 16, word & 0xffff]));
}

function parseIpv4(text: string): number | null {
  const match = IPV4_LITERAL.exec(text);
  if (match === null) return null;
  let word = 0;
  for (const part of match.slice(1)) {
    const octet = Number(part);
    if (octet > 255) return null;
    word = word * 256 + octet;
  }
  return word;
}

function formatIpv4(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

/** The eight 16-bit groups. `::` stands for at least one of them and may appear once. */
function parseIpv6(text: string): number[] | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const [front, back] = halves;
  // The dotted form is a tail of the whole literal, so it may not stand before the `::`.
  const head = parseGroups(front ?? '', back === undefined);
  const tail = back === undefined ? [] : parseGroups(back, true);
  if (head === null || tail === null) return null;
  const missing = IPV6_GROUPS - head.length - tail.length;
  if (back === undefined ? missing !== 0 : missing < 1) return null;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

function parseGroups(text: string, mayEndInIpv4: boolean): number[] | null {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    const dotted = mayEndInIpv4 && index === parts.length - 1 ? parseIpv4(part) : null;
    if (dotted !== null) groups.push(dotted >>> 16, dotted & 0xffff);
    else if (IPV6_GROUP.test(part)) groups.push(Number.parseInt(part, 16));
    else return null;
  }
  return groups;
}

function packGroups(groups: readonly number[]): Uint32Array {
  const words = new Uint32Array(4);
  for (const [index, group] of groups.entries()) {
    const word = index >> 1;
    words[word] = ((words[word] ?? 0) << 16) | group;
  }
  return words;
}

/** RFC 5952, section 4.2: the longest run of zero groups becomes `::`, the first of equals, never a single one. */
function compressGroups(groups: readonly number[]): string {
  let start = -1;
  let length = 1;
  for (let from = 0; from < groups.length; from++) {
    let to = from;
    while (groups[to] === 0) to++;
    if (to - from > length) [start, length] = [from, to - from];
  }
  const write = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  if (start < 0) return write(groups);
  return `${write(groups.slice(0, start))}::${write(groups.slice(start + length))}`;
}
