import type { FileSettings } from './file-settings.js';
import { fileState, type FileState } from './file-state.js';
import { loadConfig, type ConfigInput, type ConfigResult } from './load-config.js';

/** A file that changes while it is read is read again; half of an old one and half of a new one is neither. */
const MOST_TRIES = 3;

/** Flags, environment and file of this process: read at the start, and again at every reload. */
export class ConfigSource {
  /** The configuration file, or null where there is none. */
  readonly path: string | null;
  readonly #input: Omit<ConfigInput, 'file'>;
  #lastRead: FileState = null;

  constructor(path: string | null, input: Omit<ConfigInput, 'file'>) {
    this.path = path;
    this.#input = input;
  }

  /** The state of the file that load() has read, or one before it. */
  get lastRead(): FileState {
    return this.#lastRead;
  }

  async load(): Promise<ConfigResult> {
    if (this.path === null) return loadConfig(this.#input);
    // Loaded only now: who has no file need not wait for its parser.
    const { readConfigFile } = await import('./config-file.js');
    for (let tries = 1; ; tries++) {
      // Before it is read: a change in between makes it another state.
      this.#lastRead = await fileState(this.path);
      const file = await readConfigFile(this.path);
      if ((await fileState(this.path)) === this.#lastRead) return loadConfig({ ...this.#input, file });
      if (tries === MOST_TRIES) return loadConfig({ ...this.#input, file: changing(this.path) });
    }
  }

  /** The state of the file now. */
  look(): Promise<FileState> {
    return this.path === null ? Promise.resolve(null) : fileState(this.path);
  }
}

function changing(path: string): FileSettings {
  return { entries: new Map(), problems: [`${path}: changes while it is read; expected a file that is complete`] };
}
