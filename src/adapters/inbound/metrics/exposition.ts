/** What a scrape gets: the proxy's series, then prom-client's of the process and of Node.js. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Registry, collectDefaultMetrics } from 'prom-client';
import type { Samples } from '../../../application/metrics/metric-catalogue.js';
import { SeriesText } from './series-text.js';

/** Gauges that are named like counters, which promtool refuses; each has one by type beside it that is not. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];
/** Characters. */
const LONG_PIECE = 2 ** 14;

export class Exposition {
  readonly contentType: string;
  readonly #registry = new Registry();
  readonly #series = new SeriesText();

  constructor() {
    this.contentType = this.#registry.contentType;
    collectDefaultMetrics({ register: this.#registry });
    for (const name of MISNAMED) this.#registry.removeSingleMetric(name);
  }

  async render(samples: Samples): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (const piece of this.#series.write(samples)) {
      pieces.push(Buffer.from(piece));
      // Thousands of backends take a while: nobody who waits for the loop waits for all of them.
      if (piece.length > LONG_PIECE) await nextTurn();
    }
    pieces.push(Buffer.from(await this.#registry.metrics()));
    return Buffer.concat(pieces);
  }

  close(): void {
    this.#registry.clear();
  }
}
