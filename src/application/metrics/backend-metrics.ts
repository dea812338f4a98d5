/** The series of backends. There may be thousands, so their labels are made once, not at every scrape. */
import type { BackendStates } from '../../domain/shared/backend-states.js';
import { BACKEND_ERRORS } from '../../domain/shared/layout.js';
import type { PublishedBackend } from '../../domain/shared/routes-writer.js';
import type { SharedTotals } from '../../domain/shared/shared-totals.js';
import type { HistogramSample, Labels, Sample } from './metric-catalogue.js';

interface Labelled {
  readonly published: PublishedBackend;
  readonly labels: Labels;
  /** By BACKEND_ERRORS. */
  readonly ofErrors: readonly Labels[];
}

export class BackendMetrics {
  readonly #totals: SharedTotals;
  readonly #states: BackendStates;
  #backends: readonly Labelled[] = [];

  constructor(totals: SharedTotals, states: BackendStates) {
    this.#totals = totals;
    this.#states = states;
  }

  get count(): number {
    return this.#backends.length;
  }

  /** Whoever is not among them has no series any more. */
  use(published: readonly PublishedBackend[]): void {
    const known = new Map(this.#backends.map((it) => [it.published.backend.id, it]));
    this.#backends = published.map((it) => labelled(it, known.get(it.backend.id)));
  }

  connections(): Sample[] {
    return this.#each((slot) => this.#totals.backendConnections(slot));
  }

  active(): Sample[] {
    return this.#each((slot) => this.#totals.backendActive(slot));
  }

  errors(): Sample[] {
    return this.#backends.flatMap(({ published: { slot }, ofErrors }) =>
      ofErrors.map((labels, error) => ({ labels, value: this.#totals.backendErrors(slot, error) })),
    );
  }

  /** `bounds` is how many bounds there are. */
  connectTimes(bounds: number): HistogramSample[] {
    return this.#backends.map(({ published: { slot }, labels }) => {
      const { counts, sum } = this.#totals.connectTimes(slot, bounds);
      return { labels, counts, sum };
    });
  }

  /** By the database, by health checks and by the breaker. */
  up(): Sample[] {
    return this.#backends.map(({ published: { slot, backend }, labels }) => {
      const isWanted = backend.isHealthy && !backend.isDraining && backend.weight > 0;
      return { labels, value: isWanted && this.#states.isAvailable(slot) ? 1 : 0 };
    });
  }

  #each(valueOf: (slot: number) => number): Sample[] {
    return this.#backends.map(({ published: { slot }, labels }) => ({ labels, value: valueOf(slot) }));
  }
}

function labelled(published: PublishedBackend, known: Labelled | undefined): Labelled {
  const { id, region } = published.backend;
  if (known?.labels['region'] === region) return { ...known, published };
  const labels = { backend: id, region };
  return { published, labels, ofErrors: BACKEND_ERRORS.map((reason) => ({ ...labels, reason })) };
}
