/** A plot of the last minutes: one line or two over a common scale, the first with the area below it. */
import { element, setText, svgElement } from './element.js';
import type { Rates } from './history.js';
import { areaOf, HEIGHT, pathOf, WIDTH } from './plot-path.js';

/** Above the highest value. */
const HEADROOM = 1.1;

export interface PlotLine {
  readonly name: string;
  readonly of: (rates: Rates) => number;
}

export class Plot {
  readonly node: HTMLElement;
  readonly #lines: readonly PlotLine[];
  readonly #format: (value: number) => string;
  readonly #paths: readonly SVGPathElement[];
  readonly #area = svgElement('path', { class: 'area' });
  readonly #now = element('b');
  readonly #peak = element('span');
  readonly #second = element('span', { class: 'second' });

  constructor(title: string, lines: readonly PlotLine[], format: (value: number) => string) {
    this.#lines = lines;
    this.#format = format;
    this.#paths = lines.map((_, index) => svgElement('path', { class: index === 0 ? 'first' : 'second' }));
    const box = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': title };
    const drawing = svgElement('svg', box, this.#area, ...this.#paths);
    this.node = element(
      'figure',
      {},
      element('figcaption', {}, title, this.#now),
      drawing,
      element('figcaption', {}, this.#peak, this.#second),
    );
  }

  show(rates: readonly Rates[], nowMs: number): void {
    const most = Math.max(1, ...rates.flatMap((each) => this.#lines.map(({ of }) => of(each)))) * HEADROOM;
    this.#lines.forEach(({ of }, index) => {
      const path = pathOf(rates, of, nowMs, most);
      this.#paths[index]?.setAttribute('d', path);
      if (index === 0) this.#area.setAttribute('d', areaOf(path, rates, nowMs));
    });
    const latest = rates.at(-1);
    const [first = '', second = ''] = this.#lines.map(
      ({ name, of }) => `${name} ${this.#format(latest === undefined ? 0 : of(latest))}`,
    );
    setText(this.#now, first);
    setText(this.#second, second);
    setText(this.#peak, rates.length === 0 ? '' : `peak ${this.#format(most / HEADROOM)}, five minutes`);
  }
}
