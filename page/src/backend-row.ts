/** One backend as a row, made once and then kept: its buttons keep the focus while its figures move. */
import type { Backend, BackendChange } from './api-types.js';
import { stateOf } from './backend-state.js';
import { element, setText } from './element.js';
import { milliseconds, short, words } from './format.js';

export type Change = (id: string, change: BackendChange) => void;

export const COLUMNS = ['backend', 'state', 'load', 'connect time', 'weight', 'connections', 'failed', ''] as const;

export class BackendRow {
  readonly node = element('tr');
  readonly #change: Change;
  #isPending = false;
  #backend: Backend;
  readonly #address = element('small');
  readonly #state = element('span');
  readonly #meter = element('meter', { min: 0, max: 1, low: 0.7, high: 0.95, optimum: 0 });
  readonly #load = element('span');
  readonly #rtt = element('span');
  readonly #weight = element('span');
  readonly #connections = element('span');
  readonly #failed = element('span');
  readonly #button = element('button', { type: 'button' });

  constructor(backend: Backend, change: Change) {
    this.#backend = backend;
    this.#change = change;
    this.#button.addEventListener('click', () => this.#act());
    const name = element('span', {}, backend.id, ' ', this.#address);
    const load = element('span', {}, this.#meter, ' ', this.#load);
    const cells = [name, this.#state, load, this.#rtt, this.#weight, this.#connections, this.#failed, this.#button];
    this.node.append(...cells.map((cell, index) => cellOf(cell, COLUMNS[index] ?? '')));
    this.show(backend);
  }

  show(backend: Backend): void {
    this.#backend = backend;
    const { words: states, tone } = stateOf(backend);
    const { active, soft_limit: soft, hard_limit: hard } = backend;
    setText(this.#address, addressOf(backend));
    setText(this.#state, states.join(', '));
    this.#state.className = tone;
    this.#meter.value = active / Math.max(hard > 0 ? hard : soft, 1);
    setText(this.#load, `${short(active)} of ${hard > 0 ? short(hard) : `${short(soft)} soft`}`);
    setText(this.#rtt, milliseconds(backend.rtt_ms));
    setText(this.#weight, String(backend.weight));
    setText(this.#connections, short(backend.connections_total));
    setText(this.#failed, failuresOf(backend));
    setText(this.#button, takesClients(backend) ? 'drain' : 'enable');
    this.#button.setAttribute('aria-label', `${this.#button.textContent} ${backend.id}`);
    this.#isPending = false;
    this.#button.setAttribute('aria-disabled', 'false');
  }

  /** Waits for what the proxy says then; the row shows it at the next look. */
  #act(): void {
    if (this.#isPending) return;
    this.#isPending = true;
    // Not disabled, which would take the focus away.
    this.#button.setAttribute('aria-disabled', 'true');
    const { id, draining, enabled } = this.#backend;
    if (!draining && enabled) this.#change(id, { draining: true });
    else this.#change(id, draining ? { draining: false } : { enabled: true });
  }
}

function takesClients({ draining, enabled }: Backend): boolean {
  return !draining && enabled;
}

function cellOf(content: HTMLElement, name: string): HTMLElement {
  const attributes = name === 'state' ? { class: 'text' } : {};
  return element('td', name === '' || name === 'backend' ? attributes : { ...attributes, 'data-name': name }, content);
}

function addressOf({ ip, port, country, app }: Backend): string {
  const address = ip.startsWith('unix:') ? ip : ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
  return [address, country, app].filter((text) => text !== '').join(' · ');
}

function failuresOf({ errors }: Backend): string {
  const some = Object.entries(errors).filter(([, count]) => count > 0);
  return some.length === 0 ? '0' : some.map(([reason, count]) => `${words(reason)} ${short(count)}`).join(', ');
}
