import type { Backend } from '../../src/domain/backend.js';
import { countryNumber, regionTable } from '../../src/domain/regions.js';
import { Pool } from '../../src/domain/routing/pool.js';
import type { Router, RouterPlugin } from '../../src/domain/routing/router.js';
import { Xorshift128 } from '../../src/domain/routing/xorshift128.js';
import { BATCH_CAPACITY, NAME_BYTES, REQUEST, REQUEST_WORDS } from '../../src/domain/shared/batch-layout.js';
import { BindingTable } from '../../src/domain/shared/binding-table.js';
import { BackendStates } from '../../src/domain/shared/backend-states.js';
import type { ControlRegion } from '../../src/domain/shared/control-region.js';
import { BACKEND, POOL } from '../../src/domain/shared/layout.js';
import { Reservations } from '../../src/domain/shared/reservations.js';
import { RoutesReader } from '../../src/domain/shared/routes-reader.js';
import { RoutesWriter } from '../../src/domain/shared/routes-writer.js';
import { StateOverlay } from '../../src/domain/shared/state-overlay.js';
import { newRegion } from './routing-rig.js';

type RouterConfig = Readonly<Record<string, unknown>>;

/** A client of one choice; an address of 10.x.y.z by its number. */
export interface RouterClient {
  readonly host?: number;
  readonly address?: readonly [number, number, number, number];
  readonly port?: number;
  readonly targetPort?: number;
  readonly country?: string;
  readonly name?: string;
  readonly session?: number;
}

/** A primary that publishes, and several workers with a router each, over one region, all on this thread. */
export class RouterRig<Options> {
  readonly region: ControlRegion;
  readonly states: BackendStates;
  readonly workers: readonly RouterWorker<Options>[];
  readonly #writer: RoutesWriter;
  #slots: readonly number[] = [];

  constructor(plugin: RouterPlugin<Options>, config: RouterConfig = {}, { workers = 1, backends = 64 } = {}) {
    this.region = newRegion({ workers, backends }).region;
    this.states = new BackendStates(this.region);
    this.#writer = new RoutesWriter(this.region, new BindingTable(this.region));
    const parsed = plugin.parse(config);
    if (!parsed.isValid) throw new Error(JSON.stringify(parsed.problems));
    const make = (worker: number): RouterWorker<Options> =>
      new RouterWorker(this.region, worker, plugin, parsed.options);
    this.workers = Array.from({ length: workers }, (_, worker) => make(worker));
  }

  publish(backends: readonly Backend[]): void {
    this.republish(backends);
    this.refresh();
  }

  /** The same between two batches of the workers, who do not look. */
  republish(backends: readonly Backend[]): void {
    const { published } = this.#writer.publish(backends, regionTable(), 'sa');
    this.#slots = published.map(({ slot }) => slot);
  }

  /** What the first worker, or another one, chooses for a client and takes a place at: the backend's position, or -1. */
  take(client: RouterClient = {}, worker = 0): number {
    return this.#positionOf(this.worker(worker).take(client));
  }

  /** The same without the place. */
  choose(client: RouterClient = {}, worker = 0): number {
    return this.#positionOf(this.worker(worker).choose(client));
  }

  worker(index = 0): RouterWorker<Options> {
    const worker = this.workers[index];
    if (worker === undefined) throw new RangeError(`there is no worker ${index}`);
    return worker;
  }

  setWord(position: number, word: number, value: number): void {
    this.region.words[this.#lineOf(position) + word] = value;
  }

  activeOf(position: number): number {
    return this.region.words[this.#lineOf(position) + BACKEND.ACTIVE] ?? 0;
  }

  /** Workers look at tables and states anew, as at the beginning of a batch. */
  refresh(): void {
    for (const worker of this.workers) worker.refresh();
  }

  set cursor(value: number) {
    this.region.words[this.region.offsets.pools + POOL.CURSOR] = value;
  }

  slotOf(position: number): number {
    return this.#slots[position] ?? -1;
  }

  #positionOf(slot: number): number {
    return slot < 0 ? -1 : this.#slots.indexOf(slot);
  }

  #lineOf(position: number): number {
    return this.region.backendAt(this.slotOf(position));
  }
}

class RouterWorker<Options> {
  readonly pool: Pool;
  readonly router: Router;
  readonly #reader: RoutesReader;
  readonly #overlay: StateOverlay;
  readonly #places: Reservations;
  readonly #requests = new Int32Array(BATCH_CAPACITY * REQUEST_WORDS);
  readonly #names = new Uint8Array(BATCH_CAPACITY * NAME_BYTES);
  #country = -1;
  #targetPort = 0;

  constructor(region: ControlRegion, worker: number, plugin: RouterPlugin<Options>, options: Options) {
    this.#reader = new RoutesReader(region, worker);
    this.#overlay = new StateOverlay(region, this.#reader.table);
    this.#places = new Reservations(region, worker);
    this.pool = new Pool(this.#reader.table, region.words);
    this.router = plugin.create(
      {
        words: region.words,
        pool: this.pool,
        cursorAt: region.offsets.pools + POOL.CURSOR,
        requests: this.#requests,
        names: this.#names,
        countryOf: () => this.#country,
        targetPort: () => this.#targetPort,
        random: new Xorshift128([worker + 1, 2, 3, 4]),
      },
      options,
    );
  }

  refresh(): void {
    this.#reader.enter();
    this.#overlay.refresh();
    const { table } = this.#reader;
    const all = table.regionFrom(0);
    const open = Array.from({ length: table.choosable }, (_, index) => all + index);
    const routes = open.filter((route) => (table.hardLimit[route] ?? 0) > 0);
    this.pool.refill(Int32Array.from(routes), routes.length);
    this.#reader.leave();
  }

  take(client: RouterClient): number {
    for (;;) {
      const slot = this.choose(client);
      if (slot < 0) return -1;
      const route = this.#reader.table.routeOfSlot[slot] ?? -1;
      if (this.#places.reserve(slot, this.#reader.table.hardLimit[route] ?? 0)) return slot;
    }
  }

  choose(client: RouterClient): number {
    const route = this.router.choose(this.put(client));
    return route < 0 ? -1 : (this.#reader.table.slot[route] ?? -1);
  }

  /** Fills in a request; its first word. */
  put(client: RouterClient): number {
    // The second of the batch, so that an offset that is left out shows.
    const at = REQUEST_WORDS;
    const { host = 0, name = '', session = 0, port = 1024 } = client;
    this.#requests.set(client.address ?? [0, 0, 0xffff, 0x0a000000 | host], at + REQUEST.ADDRESS);
    this.#requests[at + REQUEST.PORT] = port;
    this.#requests[at + REQUEST.SESSION] = session;
    this.#requests[at + REQUEST.NAME_LENGTH] = name.length;
    for (let index = 0; index < name.length; index++) this.#names[NAME_BYTES + index] = name.charCodeAt(index);
    this.#country = countryNumber(client.country ?? '');
    this.#targetPort = client.targetPort ?? 0;
    return at;
  }
}
