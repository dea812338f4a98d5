/**
 * Bytes as users write them: printable ASCII, with \r \n \t \\ and \xNN for the others. They are held as a string of
 * which each character is a byte, so that they can be compared, searched and sent as they are.
 */
const ESCAPES: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '\\': '\\' };
const TOKEN = /\\x([0-9a-fA-F]{2})|\\([rnt\\])|([\x20-\x5b\x5d-\x7e])/y;

/** As users write them, of at most so many bytes; quotes are escaped too. */
export function formatByteText(bytes: string, maxBytes: number): string {
  const text = bytes.slice(0, maxBytes).replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, escapeOf);
  return bytes.length > maxBytes ? `${text}…` : text;
}

function escapeOf(byte: string): string {
  const name = Object.keys(ESCAPES).find((letter) => ESCAPES[letter] === byte);
  return `\\${name ?? `x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`}`;
}

/** null where the text is not right, or stands for more than `maxBytes`. */
export function parseByteText(text: string, maxBytes: number): string | null {
  let bytes = '';
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const match = TOKEN.exec(text);
    if (match === null || bytes.length >= maxBytes) return null;
    const [, hex, escape, plain] = match;
    const coded = hex === undefined ? (ESCAPES[escape ?? ''] ?? '') : String.fromCharCode(Number.parseInt(hex, 16));
    bytes += plain ?? coded;
  }
  return bytes;
}
