/** A program in a terminal of its own, and what stands on its screen. */
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { eventually, within } from './eventually.js';
import { killAtExit } from './live-processes.js';
import { program } from './program.js';
import type { Owner } from './scratch-directory.js';

const DRIVER = fileURLToPath(new URL('./terminal.py', import.meta.url));
const SEQUENCE = /^\x1b(?:\[(?<private>\?)?(?<numbers>[\d;]*)(?<letter>[A-Za-z])|[()][0-9A-B])/;

export interface TerminalEnd {
  readonly code?: number;
  readonly signal?: number;
  /** Its modes are what they were. */
  readonly isSame: boolean;
}

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** As much of a terminal as `top` needs. Throws at a sequence that it does not know. */
export class ScreenText {
  isAlternate = false;
  isCursorShown = true;
  /** Every style that has been asked for. */
  readonly styles = new Set<string>();
  #size: TerminalSize;
  #lines: string[] = [];
  #row = 0;
  #column = 0;
  #rest = '';

  constructor(size: TerminalSize) {
    this.#size = size;
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  resize(size: TerminalSize): void {
    this.#size = size;
  }

  write(text: string): void {
    let left = this.#rest + text;
    this.#rest = '';
    while (left !== '') {
      if (left.startsWith('\x1b')) {
        const match = SEQUENCE.exec(left);
        if (match === null) {
          if (left.length > 20) throw new Error(`unknown sequence ${JSON.stringify(left.slice(0, 20))}`);
          this.#rest = left;
          return;
        }
        this.#obey(match.groups?.['private'] === '?', match.groups?.['numbers'] ?? '', match.groups?.['letter'] ?? '');
        left = left.slice(match[0].length);
      } else {
        const [character = ''] = left;
        this.#put(character);
        left = left.slice(character.length);
      }
    }
  }

  #obey(isPrivate: boolean, numbers: string, letter: string): void {
    if (isPrivate && numbers === '1049') this.#switch(letter === 'h');
    else if (isPrivate && numbers === '25') this.isCursorShown = letter === 'h';
    else if (letter === 'H') this.#row = this.#column = 0;
    else if (letter === 'J' && numbers === '2') this.#lines = [];
    else if (letter === 'J') this.#cutHere(true);
    else if (letter === 'K') this.#cutHere(false);
    else if (letter === 'm') this.styles.add(numbers);
    else throw new Error(`unknown sequence ${numbers}${letter}`);
  }

  #switch(isAlternate: boolean): void {
    this.isAlternate = isAlternate;
    this.#lines = [];
    this.#row = this.#column = 0;
  }

  #cutHere(isAll: boolean): void {
    this.#lines[this.#row] = (this.#lines[this.#row] ?? '').slice(0, this.#column);
    if (isAll) this.#lines.length = this.#row + 1;
  }

  #put(character: string): void {
    if (character === '\r') this.#column = 0;
    else if (character === '\n') this.#row++;
    else if (character < ' ' || (character >= '\x7f' && character < '\xa0'))
      throw new Error(`control ${character.charCodeAt(0)}`);
    else {
      const line = (this.#lines[this.#row] ?? '').padEnd(this.#column);
      this.#lines[this.#row] = line.slice(0, this.#column) + character + line.slice(this.#column + 1);
      this.#column++;
    }
    if (this.isAlternate && (this.#row >= this.#size.rows || this.#column > this.#size.columns))
      throw new Error(`beyond the screen: row ${this.#row}, column ${this.#column}`);
  }
}

export class Terminal {
  readonly screen: ScreenText;
  readonly end: Promise<TerminalEnd>;
  /** All that was written. */
  output = '';
  readonly #child: ChildProcess;

  constructor(owner: Owner, command: readonly string[], size: TerminalSize, env: NodeJS.ProcessEnv) {
    this.screen = new ScreenText(size);
    const child = spawn(program('python3', 'python3'), [DRIVER, `${size.rows}x${size.columns}`, ...command], { env });
    this.#child = child;
    if (child.pid !== undefined) killAtExit(child.pid);
    owner.after(() => void child.kill('SIGKILL'));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
      this.screen.write(text);
    });
    let report = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (report += text));
    this.end = new Promise<TerminalEnd>((resolve, reject) => {
      child.once('close', () => {
        try {
          resolve(JSON.parse(report) as TerminalEnd);
        } catch {
          reject(new Error(`the terminal failed: ${report}`));
        }
      });
    });
    // Whoever waits for it hears of it.
    this.end.catch(() => undefined);
  }

  press(keys: string): void {
    this.#order({ keys });
  }

  resize(size: TerminalSize): void {
    this.screen.resize(size);
    this.#order({ size: [size.rows, size.columns] });
  }

  /** To the program. */
  signal(number: number): void {
    this.#order({ signal: number });
  }

  ended(): Promise<TerminalEnd> {
    return within(`the program ends; it wrote ${JSON.stringify(this.output.slice(-500))}`, this.end);
  }

  /** Waits until the screen has it. */
  shows(what: RegExp): Promise<string> {
    const text = (): string => this.screen.lines.join('\n');
    const state = (): string => text();
    return eventually(`the screen shows ${what}`, () => what.test(text()) && text(), { state });
  }

  #order(order: object): void {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
  }
}
