/** The access log of a proxy under test, read as a program would read it. */
import { existsSync, readFileSync } from 'node:fs';
import { eventually } from './eventually.js';

export type AccessLine = Readonly<Record<string, unknown>>;

export class AccessLogFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Whole lines so far; a line that is no JSON throws. */
  get lines(): AccessLine[] {
    return this.texts.map((line) => JSON.parse(line) as AccessLine);
  }

  get texts(): string[] {
    return existsSync(this.path) ? readFileSync(this.path, 'utf8').split('\n').slice(0, -1) : [];
  }

  /** The first line about the client with that port, past or future. */
  of(clientPort: number): Promise<AccessLine> {
    return this.find(`a line about the client at ${clientPort}`, (line) => line['clientPort'] === clientPort);
  }

  find(what: string, isIt: (line: AccessLine) => boolean): Promise<AccessLine> {
    return eventually(what, () => this.lines.find(isIt), { state: () => this.lines.slice(-5) });
  }
}
