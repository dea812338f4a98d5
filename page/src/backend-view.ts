/** The backends by region, the troubled ones first; of many, a page at a time. */
import type { Backend, BackendList } from './api-types.js';
import { BackendRow, COLUMNS, type Change } from './backend-row.js';
import { byRegion, type Region } from './backend-state.js';
import { element, part, setText } from './element.js';
import { short } from './format.js';

export const PAGE_SIZE = 500;
/** After a click rows may move: the second click of a double one must not reach another backend. */
const QUIET_MS = 1_500;

interface RegionTable {
  readonly table: HTMLTableElement;
  readonly caption: HTMLElement;
  readonly body: HTMLElement;
}

export class BackendView {
  #offset = 0;
  #list: BackendList = { backends: [], total: 0 };
  readonly #change: Change;
  readonly #place = part('backends', HTMLElement);
  readonly #count = part('backends-count', HTMLElement);
  readonly #filter = part('filter', HTMLInputElement);
  readonly #previous = part('previous', HTMLButtonElement);
  readonly #next = part('next', HTMLButtonElement);
  readonly #tables = new Map<string, RegionTable>();
  readonly #rows = new Map<string, BackendRow>();
  #quietUntilMs = 0;

  /** `onTurn` is told when another page is wanted. */
  constructor(change: Change, onTurn: () => void) {
    this.#change = (id, wanted) => {
      if (performance.now() < this.#quietUntilMs) return;
      this.#quietUntilMs = performance.now() + QUIET_MS;
      change(id, wanted);
    };
    this.#filter.addEventListener('input', () => this.#draw());
    this.#previous.addEventListener('click', () => this.#turn(-PAGE_SIZE, onTurn));
    this.#next.addEventListener('click', () => this.#turn(PAGE_SIZE, onTurn));
  }

  get offset(): number {
    return this.#offset;
  }

  show(list: BackendList): void {
    this.#list = list;
    // Those of this page may have been removed meanwhile.
    if (this.#offset >= list.total) this.#offset = 0;
    this.#draw();
  }

  #turn(by: number, onTurn: () => void): void {
    this.#offset = Math.max(0, this.#offset + by);
    onTurn();
  }

  #draw(): void {
    const { backends, total } = this.#list;
    const focused = document.activeElement;
    const regions = byRegion(backends, this.#filter.value);
    this.#forget(new Set(regions.flatMap((region) => region.backends.map(({ id }) => id))));
    for (const [name, { table }] of this.#tables) table.hidden = !regions.some((region) => region.name === name);
    regions.forEach((region) => this.#drawRegion(region));
    // A row that is moved loses it.
    if (focused instanceof HTMLElement && document.activeElement !== focused) focused.focus({ preventScroll: true });
    const range = `${this.#offset + 1} to ${this.#offset + backends.length} of ${total}`;
    const shown = backends.length < total ? `${range}; regions and filter are of these` : String(total);
    setText(this.#count, total === 0 ? 'none yet' : shown);
    this.#previous.hidden = this.#offset === 0;
    this.#next.hidden = this.#offset + backends.length >= total;
  }

  #drawRegion({ name, backends, active, up }: Region): void {
    const { caption, body } = this.#tableOf(name);
    setText(caption, `${name}: ${up} of ${backends.length} up, ${short(active)} connections`);
    backends.forEach((backend, index) => {
      const { node } = this.#rowOf(backend);
      if (body.children[index] !== node) body.insertBefore(node, body.children[index] ?? null);
    });
  }

  #tableOf(name: string): RegionTable {
    const known = this.#tables.get(name);
    if (known !== undefined) return known;
    const caption = element('caption');
    const heads = COLUMNS.map((title) =>
      element('th', title === 'state' ? { scope: 'col', class: 'text' } : { scope: 'col' }, title),
    );
    const body = element('tbody');
    const table = element(
      'table',
      { 'data-region': name },
      caption,
      element('thead', {}, element('tr', {}, ...heads)),
      body,
    );
    const made = { table, caption, body };
    this.#tables.set(name, made);
    const after = [...this.#tables.keys()].sort((a, b) => a.localeCompare(b));
    const next = this.#tables.get(after[after.indexOf(name) + 1] ?? '');
    this.#place.insertBefore(table, next?.table ?? null);
    return made;
  }

  #rowOf(backend: Backend): BackendRow {
    const known = this.#rows.get(backend.id);
    if (known !== undefined) {
      known.show(backend);
      return known;
    }
    const made = new BackendRow(backend, this.#change);
    this.#rows.set(backend.id, made);
    return made;
  }

  #forget(present: ReadonlySet<string>): void {
    for (const [id, { node }] of this.#rows) {
      if (present.has(id)) continue;
      node.remove();
      this.#rows.delete(id);
    }
  }
}
