/**
 * A running proxy's control region, read from outside: the primary's memfd is opened through /proc and mapped with the
 * addon, as a worker does it. Works for as long as this process holds the mapping, also after the proxy has ended.
 */
import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { loadNativeAddon } from '../../src/adapters/outbound/native/native-addon.js';
import { parseIpAddress } from '../../src/domain/ip-address.js';
import { ANY_LISTENER, ClientKey } from '../../src/domain/shared/client-key.js';
import { ClientTable } from '../../src/domain/shared/client-table.js';
import { ControlRegion } from '../../src/domain/shared/control-region.js';
import {
  ACCEPTOR,
  BACKEND,
  BACKEND_ERRORS,
  END_REASONS,
  REJECT_REASONS,
  ROUTE,
  ROUTE_LINES,
  ROUTES_AT,
  ROUTES_CONTROL,
  ROUTES_HEADER,
  WORDS_PER_LINE,
  WORKER,
  WORKER_ROW,
  type BackendError,
  type EndReason,
  type RejectReason,
} from '../../src/domain/shared/layout.js';

/** 64-bit totals of a worker, by their names in WORKER. */
export type WorkerTotal =
  | 'ACCEPTED'
  | 'BYTES_TO_CLIENTS'
  | 'BYTES_FROM_CLIENTS'
  | 'SPLICE_FALLBACKS'
  | 'WARM_TAKEN'
  | 'WARM_MISSED'
  | 'DATAGRAMS_TO_CLIENTS'
  | 'DATAGRAMS_FROM_CLIENTS'
  | 'DATAGRAMS_DROPPED';
/** Words of a worker that rise and fall. */
export type WorkerGauge =
  'ACTIVE' | 'SPLICE_PIPES' | 'PENDING_BYTES' | 'RELAYS_OPEN' | 'WARM_CONNECTIONS' | 'UDP_SESSIONS';
export type BackendTotal = 'CONNECTIONS' | 'BYTES_TO_CLIENTS' | 'BYTES_FROM_CLIENTS';

export class SharedCounters {
  readonly region: ControlRegion;
  readonly #totals: BigUint64Array;

  constructor(primaryPid: number) {
    const buffer = mapControlRegion(primaryPid);
    this.region = new ControlRegion(buffer);
    this.#totals = new BigUint64Array(buffer, 0, Math.floor(buffer.byteLength / 8));
  }

  get workers(): number {
    return this.region.capacity.workers;
  }

  gauge(worker: number, name: WorkerGauge): number {
    return Atomics.load(this.region.words, this.region.workerAt(worker) + WORKER[name]);
  }

  /** Sum over all workers. */
  gauges(name: WorkerGauge): number {
    return this.#sum((worker) => this.gauge(worker, name));
  }

  /** Sum over all workers; ACCEPTED with those whom the acceptor has refused itself. */
  total(name: WorkerTotal): number {
    const atWorkers = this.#sum((worker) => this.#wide(this.region.workerAt(worker) + WORKER[name]));
    return name === 'ACCEPTED' ? atWorkers + this.refusedByAcceptor : atWorkers;
  }

  /** Of rejected('rate_limited'): those that no worker has seen. */
  get refusedByAcceptor(): number {
    return this.#wide(this.region.offsets.acceptor + ACCEPTOR.RATE_LIMITED);
  }

  rejected(reason: RejectReason): number {
    const word = WORKER.REJECTED + 2 * REJECT_REASONS.indexOf(reason);
    const atWorkers = this.#sum((worker) => this.#wide(this.region.workerAt(worker) + word));
    return reason === 'rate_limited' ? atWorkers + this.refusedByAcceptor : atWorkers;
  }

  ended(reason: EndReason): number {
    const word = WORKER.ENDED + 2 * END_REASONS.indexOf(reason);
    return this.#sum((worker) => this.#wide(this.region.workerAt(worker) + word));
  }

  /** Connections of a listener, over all workers. */
  atListener(listener: number): number {
    const word = WORKER.LISTENER_ACTIVE + listener;
    return this.#sum((worker) => Atomics.load(this.region.words, this.region.workerAt(worker) + word));
  }

  /** Connections that are counted for a client address (MAX_CONNECTIONS_PER_IP). */
  clientConnections(address: string): number {
    const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = parseIpAddress(address) ?? [];
    const key = new ClientKey(this.region.seeds());
    key.assign(ANY_LISTENER, w0, w1, w2, w3);
    return new ClientTable(this.region).count(key);
  }

  /** Slot of the backend with that port in the table in force; throws where there is none. */
  slotOf(port: number): number {
    const { words, offsets } = this.region;
    const table = offsets.routes[Atomics.load(words, offsets.routesControl + ROUTES_CONTROL.LIVE) === 0 ? 0 : 1];
    const count = words[table + ROUTES_HEADER.COUNT] ?? 0;
    for (let i = 0; i < count; i++) {
      const record = table + ROUTES_AT + i * ROUTE_LINES * WORDS_PER_LINE;
      if (words[record + ROUTE.PORT] === port) return words[record + ROUTE.SLOT] ?? -1;
    }
    throw new Error(`no backend with port ${port} among ${count} routes`);
  }

  /** The backend's global, exact number of connections. */
  active(slot: number): number {
    return Atomics.load(this.region.words, this.region.backendAt(slot) + BACKEND.ACTIVE);
  }

  /** One worker's part of that. */
  share(worker: number, slot: number): number {
    return Atomics.load(this.region.words, this.region.rowAt(worker, slot) + WORKER_ROW.SHARE);
  }

  /** Sum over all workers. */
  backendTotal(slot: number, name: BackendTotal): number {
    return this.#sum((worker) => this.#wide(this.region.rowAt(worker, slot) + WORKER_ROW[name]));
  }

  /** Failed connects, sum over all workers. */
  backendErrors(slot: number, error: BackendError): number {
    const word = WORKER_ROW.ERRORS + BACKEND_ERRORS.indexOf(error);
    return this.#sum((worker) => Atomics.load(this.region.words, this.region.rowAt(worker, slot) + word));
  }

  /** Places held in all backends and shares, and connections of all workers: all 0 at rest. */
  held(slots: number): { readonly active: number; readonly shares: number; readonly connections: number } {
    let active = 0;
    let shares = 0;
    for (let slot = 0; slot < slots; slot++) {
      active += Math.abs(this.active(slot));
      for (let worker = 0; worker < this.workers; worker++) shares += Math.abs(this.share(worker, slot));
    }
    return { active, shares, connections: this.gauges('ACTIVE') };
  }

  #wide(word: number): number {
    return Number(Atomics.load(this.#totals, word / 2));
  }

  #sum(of: (worker: number) => number): number {
    let sum = 0;
    for (let worker = 0; worker < this.workers; worker++) sum += of(worker);
    return sum;
  }
}

function mapControlRegion(primaryPid: number): SharedArrayBuffer {
  const directory = `/proc/${primaryPid}/fd`;
  const name = readdirSync(directory).find((fd) => linkOf(`${directory}/${fd}`).includes('memfd:edgeproxy-control'));
  if (name === undefined) throw new Error(`process ${primaryPid} has no control region`);
  const fd = openSync(`${directory}/${name}`, 'r+');
  try {
    return loadNativeAddon().mapRegion(fd);
  } finally {
    closeSync(fd);
  }
}

/** '' for a descriptor that was closed meanwhile. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
