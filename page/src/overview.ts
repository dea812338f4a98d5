/** Everything but the backends: figures, plots, workers, reasons, events. */
import type { Counts, ProxyEvent, Stats, Worker } from './api-types.js';
import { element, part } from './element.js';
import { bitsPerSecond, duration, milliseconds, short, words } from './format.js';
import type { History } from './history.js';
import { Plot } from './plot.js';

const MOST_EVENTS = 50;
const GOOD_STATES = ['ready'];

export class Overview {
  readonly #plots = [
    new Plot(
      'connections/s',
      [
        { name: 'all', of: ({ connectionsPerSec }) => connectionsPerSec },
        { name: 'turned away', of: ({ rejectedPerSec }) => rejectedPerSec },
      ],
      short,
    ),
    new Plot(
      'throughput',
      [
        { name: 'to clients', of: ({ sentPerSec }) => sentPerSec },
        { name: 'from clients', of: ({ receivedPerSec }) => receivedPerSec },
      ],
      bitsPerSecond,
    ),
    new Plot('open connections', [{ name: 'now', of: ({ active }) => active }], short),
  ];

  constructor() {
    part('plots', HTMLElement).append(...this.#plots.map(({ node }) => node));
  }

  showStats(stats: Stats, history: History, nowMs: number): void {
    const { connections, latest } = { connections: stats.connections, latest: history.latest };
    const figures: readonly (readonly [string, string])[] = [
      ['connections/s', short(latest?.connectionsPerSec ?? 0)],
      ['open', short(connections.active)],
      ['to clients', bitsPerSecond(latest?.sentPerSec ?? 0)],
      ['from clients', bitsPerSecond(latest?.receivedPerSec ?? 0)],
      ['turned away/s', short(latest?.rejectedPerSec ?? 0)],
      ['bound clients', short(stats.bindings)],
      ['UDP sessions', short(stats.udp.sessions)],
    ];
    const boxes = figures.map(([name, value]) =>
      element('div', {}, element('b', {}, value), element('span', {}, name)),
    );
    part('figures', HTMLElement).replaceChildren(...boxes);
    for (const plot of this.#plots) plot.show(history.rates, nowMs);
    const { node, region, version } = stats;
    part('place', HTMLElement).textContent = `${node}, ${region}`;
    document.title = `${node} · edgeproxy`;
    const state = stats.draining ? 'draining' : 'up';
    part('state', HTMLElement).textContent = `${state} ${duration(stats.uptime_secs)}, version ${version}`;
    part('state', HTMLElement).className = '';
    part('rejected', HTMLElement).replaceChildren(reasons(connections.rejected));
    part('ended', HTMLElement).replaceChildren(reasons(connections.ended));
  }

  showWorkers(workers: readonly Worker[]): void {
    const names = ['worker', 'state', 'connections', 'loop lag', 'restarts'];
    const rows = workers.map(({ id, pid, state, connections, event_loop_lag_ms: lag, restarts }) => {
      const tone = GOOD_STATES.includes(state) ? 'good' : 'warn';
      const cells = [
        `${id}${pid === null ? '' : ` (pid ${pid})`}`,
        state,
        short(connections),
        milliseconds(lag),
        String(restarts),
      ];
      return element(
        'tr',
        {},
        ...cells.map((text, index) =>
          element('td', { 'data-name': names[index] ?? '', ...(index === 1 ? { class: tone } : {}) }, text),
        ),
      );
    });
    const head = element('thead', {}, element('tr', {}, ...names.map((name) => element('th', { scope: 'col' }, name))));
    part('workers', HTMLElement).replaceChildren(element('table', {}, head, element('tbody', {}, ...rows)));
  }

  /** The latest first. */
  showEvents(events: readonly ProxyEvent[]): void {
    const latest = events.slice(-MOST_EVENTS).reverse();
    const items = latest.map(({ time, kind, reason, context }) => {
      const detail = Object.entries(context).map(
        ([key, value]) => `${key} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
      );
      const text = detail.length === 0 ? reason : `${reason} (${detail.join(', ')})`;
      const clock = new Date(time).toLocaleTimeString();
      const stamp = element('time', { datetime: time, title: time }, clock);
      return element('li', {}, stamp, element('span', { class: kind === 'error' ? 'bad' : 'warn' }, kind), ' ', text);
    });
    const none = element('li', { class: 'none' }, 'none');
    part('events', HTMLElement).replaceChildren(...(items.length === 0 ? [none] : items));
  }
}

/** Those that happened, the most frequent first. */
function reasons(counts: Counts): Node {
  const some = Object.entries(counts).filter(([, count]) => count > 0);
  if (some.length === 0) return element('p', { class: 'none' }, 'nobody');
  const rows = some
    .sort(([, a], [, b]) => b - a)
    .map(([reason, count]) =>
      element('tr', {}, element('td', {}, words(reason)), element('td', { 'data-name': 'count' }, short(count))),
    );
  return element('table', {}, element('tbody', {}, ...rows));
}
