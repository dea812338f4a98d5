/** The series in Prometheus' text format, with those of the process and of Node.js. */
import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import { METRICS, type MetricName, type Samples } from '../../../application/metrics/metric-catalogue.js';

export class Exposition {
  readonly contentType: string;
  readonly #registry = new Registry();
  readonly #series: readonly (readonly [MetricName, Counter | Gauge])[];

  constructor() {
    this.contentType = this.#registry.contentType;
    this.#series = (Object.keys(METRICS) as MetricName[]).map((name) => [name, this.#make(name)]);
    collectDefaultMetrics({ register: this.#registry });
  }

  async render(samples: Samples): Promise<string> {
    for (const [name, series] of this.#series) {
      // Anew each time: series of what is gone, as of a removed backend, disappear.
      series.reset();
      for (const { labels, value } of samples[name]) series.inc(labels, value);
    }
    return this.#registry.metrics();
  }

  close(): void {
    this.#registry.clear();
  }

  #make(name: MetricName): Counter | Gauge {
    const { type, labels, help } = METRICS[name];
    const options = { name, help, labelNames: labels, registers: [this.#registry] };
    return type === 'counter' ? new Counter(options) : new Gauge(options);
  }
}
