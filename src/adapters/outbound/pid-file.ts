/**
 * The file that tells others the primary's pid. Written whole or not at all, and owned by whoever's pid is in it: at an
 * upgrade the newer version writes over the older one's.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { EdgeproxyError } from '../../domain/edgeproxy-error.js';
import { foreignMessage } from './foreign-message.js';

export class PidFile {
  readonly #path: string;
  readonly #text = `${process.pid}\n`;

  constructor(path: string) {
    this.#path = path;
  }

  /** Takes the file over, whoever had it. Throws EP_PID_FILE where it cannot be written. */
  write(): void {
    const draft = `${this.#path}.${process.pid}`;
    try {
      writeFileSync(draft, this.#text);
      renameSync(draft, this.#path);
    } catch (cause) {
      removeQuietly(draft);
      throw new EdgeproxyError('EP_PID_FILE', `The PID file cannot be written: ${foreignMessage(cause)}.`, {
        source: 'config',
        context: { path: this.#path },
        cause,
      });
    }
  }

  /** Removes it where it is still this process's; idempotent. */
  remove(): void {
    if (this.isOwn()) removeQuietly(this.#path);
  }

  isOwn(): boolean {
    try {
      return readFileSync(this.#path, 'utf8') === this.#text;
    } catch {
      return false;
    }
  }
}

/** Where the folder no longer lets this process, the next one writes over it. */
function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    return;
  }
}
