/** How far the run is: a bar on the terminal, below the lines that stay. Silent where there is no terminal. */

const BAR_CELLS = 24;
const CLEAR_LINE = '\r\u001b[K';
const DEFAULT_COLUMNS = 80;

export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export class Progress {
  readonly #out: Terminal;
  readonly #works: number;
  readonly #nowMs: () => number;
  readonly #startMs: number;
  #bar = '';

  constructor(out: Terminal, works: number, nowMs: () => number = () => performance.now()) {
    this.#out = out;
    this.#works = works;
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
  }

  /** A line that stays. */
  print(line: string): void {
    this.#out.write(`${this.#bar === '' ? '' : CLEAR_LINE}${line}\n${this.#bar}`);
  }

  /** `worksDone` works and `part` (0 to 1) of the next are done; `doing` names what is measured now. */
  show(worksDone: number, part: number, doing: string): void {
    if (this.#out.isTTY !== true) return;
    const share = this.#works === 0 ? 1 : Math.min((worksDone + part) / this.#works, 1);
    const cells = Math.floor(share * BAR_CELLS);
    const bar = '█'.repeat(cells).padEnd(BAR_CELLS, '·');
    const text = `${bar} ${Math.floor(share * 100)} % ${this.#timeLeft(share)}${doing}`;
    this.#bar = text.slice(0, (this.#out.columns ?? DEFAULT_COLUMNS) - 1);
    this.#out.write(CLEAR_LINE + this.#bar);
  }

  end(): void {
    if (this.#bar !== '') this.#out.write(CLEAR_LINE);
    this.#bar = '';
  }

  /** Works differ in length, so this is a guess that gets better. */
  #timeLeft(share: number): string {
    if (share === 0) return '';
    const leftSeconds = ((this.#nowMs() - this.#startMs) * (1 - share)) / share / 1_000;
    return leftSeconds < 60 ? `~${Math.ceil(leftSeconds)} s left · ` : `~${Math.round(leftSeconds / 60)} min left · `;
  }
}
