/**
 * Decides a few thousand times on a small region of its own, so that V8 has compiled route() before many clients
 * have come. Measured with one client at a time: a batch takes 38 µs in a new worker and 5 µs in a warm one.
 */
import type { Backend } from '../domain/backend.js';
import { leafRef, NO_COUNTRY_REF } from '../domain/geo/geo-layout.js';
import { GeoTable } from '../domain/geo/geo-table.js';
import { GeoTrieBuilder } from '../domain/geo/geo-trie-builder.js';
import { countryNumber, regionTable } from '../domain/regions.js';
import { BindingTable } from '../domain/shared/binding-table.js';
import { initialiseRegion, regionBytes, type ControlRegion } from '../domain/shared/control-region.js';
import { BATCH_CAPACITY, REQUEST, REQUEST_WORDS, RESPONSE, RESPONSE_WORDS } from '../domain/shared/layout.js';
import { Reservations } from '../domain/shared/reservations.js';
import { RoutesWriter } from '../domain/shared/routes-writer.js';
import { RouteBatch } from './route-batch.js';

const CAPACITY = { workers: 1, backends: 4, bindingSets: 64 };
const SEEDS = [1, 2, 3, 4] as const;
const POP_REGION = 'eu';

/** `run(decisions)` makes that many and returns; call it between other work. */
export class RoutingWarmUp {
  readonly #requests = new Int32Array(BATCH_CAPACITY * REQUEST_WORDS);
  readonly #responses = new Int32Array(BATCH_CAPACITY * RESPONSE_WORDS);
  readonly #clock = new Int32Array(1);
  readonly #batch: RouteBatch;
  readonly #reservations: Reservations;
  #made = 0;

  constructor() {
    const region = initialiseRegion(new SharedArrayBuffer(regionBytes(CAPACITY)), CAPACITY, SEEDS);
    publishBackends(region);
    this.#batch = new RouteBatch({
      region,
      worker: 0,
      requests: this.#requests,
      responses: this.#responses,
      clock: this.#clock,
      bindingTtlSecs: 60,
      seeds: SEEDS,
    });
    this.#batch.useCountries(oneCountry());
    this.#reservations = new Reservations(region, 0);
    this.#requests[REQUEST.ADDRESS + 2] = 0xffff;
  }

  run(decisions: number): void {
    for (let i = 0; i < decisions; i++) {
      // Some clients come back to their binding, most are new.
      this.#requests[REQUEST.ADDRESS + 3] = this.#made % 8 === 0 ? 1 : this.#made;
      this.#clock[0] = this.#made >> 6;
      this.#batch.route(1);
      this.#reservations.release(this.#responses[RESPONSE.SLOT] ?? 0);
      this.#made++;
    }
  }
}

function publishBackends(region: ControlRegion): void {
  const backend = (id: string, country: string): Backend => ({
    id,
    app: '',
    region: country === 'US' ? 'us' : 'eu',
    country,
    address: '127.0.0.1',
    port: 1,
    isHealthy: true,
    isDraining: false,
    weight: 1,
    softLimit: 100,
    hardLimit: 0,
  });
  const backends = [backend('a', 'DE'), backend('b', 'FR'), backend('c', 'US')];
  new RoutesWriter(region, new BindingTable(region)).publish(backends, regionTable(), POP_REGION);
}

function oneCountry(): GeoTable {
  const builder = new GeoTrieBuilder(1 << 16);
  const root = builder.pair(leafRef(countryNumber('DE')), NO_COUNTRY_REF);
  return new GeoTable(builder.finish(root, root, { networks: 1, buildEpochSecs: 0, databaseType: new Uint8Array(0) }));
}
