/** Backends that listen on a Unix socket: `unix:` and the path of the socket, where others have an address and a port. */
import { MAX_PATH_BYTES } from './shared/layout.js';

const PREFIX = 'unix:';
/** Characters that forge log lines, and the end of a path for the kernel. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/** The path of a Unix socket's address, or null where it is another kind of address. */
export function unixPathOf(address: string): string | null {
  return address.startsWith(PREFIX) ? address.slice(PREFIX.length) : null;
}

/** Why no socket can be found at that path by every process of the proxy, or null where one can. */
export function unixPathFault(path: string): string | null {
  if (!path.startsWith('/')) return 'is not unix: and an absolute path';
  if (path.endsWith('/')) return 'is the path of a directory';
  if (UNPRINTABLE.test(path)) return 'holds unprintable characters';
  const bytes = new TextEncoder().encode(path).length;
  return bytes > MAX_PATH_BYTES ? `has a path of ${bytes} bytes, and a Unix socket at most ${MAX_PATH_BYTES}` : null;
}
