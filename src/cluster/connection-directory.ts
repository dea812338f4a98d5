/**
 * The connections of all workers, asked for one worker after the other: in pages, so that neither a worker's loop nor the
 * primary's stands still, and for no longer than somebody waits.
 */
import type {
  ConnectionBackend,
  ConnectionCursor,
  ConnectionFilter,
  ConnectionInfo,
  ConnectionPage,
  Connections,
  KillOutcome,
  KillReport,
} from '../application/ports/connections.js';
import { formatConnectionId, parseConnectionId } from '../domain/connection-id.js';
import { MOST_LISTED } from '../domain/shared/batch-layout.js';
import type { ControlRegion } from '../domain/shared/control-region.js';
import { WORKER } from '../domain/shared/layout.js';
import type { BackendNames } from './backend-names.js';
import type { ConnectionAnswer, ConnectionQuestion, WorkerConnection, WorkerFilter } from './connection-questions.js';
import type { WorkerSupervisor } from './worker-supervisor.js';

/** A worker that is alive answers within a millisecond or two. */
const ANSWER_MS = 1000;
/** Beyond this a call stops where it is: whoever wants more asks again. */
const WHOLE_MS = 3000;

export interface ConnectionDirectoryParts {
  readonly region: ControlRegion;
  readonly supervisor: Pick<WorkerSupervisor, 'ask' | 'lives'>;
  readonly backends: BackendNames;
  /** By id, also those whose last clients are still there. */
  readonly listenerNames: () => ReadonlyMap<number, string>;
  readonly nowMs: () => number;
}

/** Asks one worker for what is left of the limit; null where it does not answer. */
type AskPage = (worker: number, from: number, timeoutMs: number) => Promise<ConnectionAnswer | null>;

export class ConnectionDirectory implements Connections {
  readonly #parts: ConnectionDirectoryParts;

  constructor(parts: ConnectionDirectoryParts) {
    this.#parts = parts;
  }

  async list(filter: ConnectionFilter, from: ConnectionCursor, limit: number): Promise<ConnectionPage> {
    const wanted = this.#workerFilter(filter);
    if (wanted === null) return { connections: [], next: null, missingWorkers: [] };
    const connections: ConnectionInfo[] = [];
    const listenerNames = this.#parts.listenerNames();
    const walk = await this.#walk(filter.worker, from, limit, async (worker, at, timeoutMs) => {
      const most = Math.min(limit - connections.length, MOST_LISTED);
      const answer = await this.#ask(worker, { ask: 'list', filter: wanted, from: at, most }, timeoutMs);
      for (const row of answer?.connections ?? []) connections.push(this.#describe(worker, row, listenerNames));
      return answer;
    });
    return { connections, ...walk };
  }

  async kill(id: string): Promise<KillOutcome> {
    const connection = parseConnectionId(id);
    if (connection === null || !this.#workers().includes(connection.worker)) return 'unknown';
    const answer = await this.#ask(connection.worker, { ask: 'kill', connection }, ANSWER_MS);
    if (answer === null) return 'unanswered';
    return answer.count === 1 ? 'killed' : 'unknown';
  }

  async killMany(filter: ConnectionFilter, limit: number): Promise<KillReport> {
    const wanted = this.#workerFilter(filter);
    if (wanted === null) return { killed: 0, isPartial: false, missingWorkers: [] };
    let killed = 0;
    const { next, missingWorkers } = await this.#walk(
      filter.worker,
      { worker: 0, position: 0 },
      limit,
      async (worker, from, timeoutMs) => {
        const question = { ask: 'killMany', filter: wanted, from, most: limit - killed } as const;
        const answer = await this.#ask(worker, question, timeoutMs);
        killed += answer?.count ?? 0;
        return answer;
      },
    );
    return { killed, isPartial: next !== null, missingWorkers };
  }

  /** Page by page, until there are `limit`, none is left or time is up. */
  async #walk(
    onlyWorker: number | undefined,
    from: ConnectionCursor,
    limit: number,
    askPage: AskPage,
  ): Promise<{ readonly next: ConnectionCursor | null; readonly missingWorkers: readonly number[] }> {
    const endMs = this.#parts.nowMs() + WHOLE_MS;
    const missingWorkers: number[] = [];
    let count = 0;
    for (const worker of this.#workers()) {
      if (worker < from.worker || worker !== (onlyWorker ?? worker)) continue;
      let position = worker === from.worker ? from.position : 0;
      while (position >= 0) {
        const leftMs = endMs - this.#parts.nowMs();
        if (count >= limit || leftMs <= 0) return { next: { worker, position }, missingWorkers };
        const answer = await askPage(worker, position, Math.min(leftMs, ANSWER_MS));
        if (answer === null) missingWorkers.push(worker);
        count += answer?.count ?? 0;
        position = answer?.next ?? -1;
      }
    }
    return { next: null, missingWorkers };
  }

  /** Those that can have connections. */
  #workers(): readonly number[] {
    return this.#parts.supervisor.lives.filter(({ isReady }) => isReady).map(({ index }) => index);
  }

  /** One that is known to stand still is not waited for. */
  async #ask(worker: number, question: ConnectionQuestion, timeoutMs: number): Promise<ConnectionAnswer | null> {
    const { region, supervisor } = this.#parts;
    const isStalled = Atomics.load(region.words, region.workerAt(worker) + WORKER.STALLED) !== 0;
    return isStalled ? null : supervisor.ask(worker, question, timeoutMs);
  }

  /** null where nobody can be meant: there is no such backend or listener. */
  #workerFilter({ backend, client, listener }: ConnectionFilter): WorkerFilter | null {
    const place = backend === undefined ? { slot: -1, owner: 0 } : this.#parts.backends.find(backend);
    const listenerId = listener === undefined ? -1 : this.#listenerId(listener);
    if (place === null || listenerId === null) return null;
    const network = client === undefined ? [0, 0, 0, 0] : [...client.words];
    const prefixBits = client === undefined ? 0 : client.firstBit + client.prefixBits;
    return { ...place, listener: listenerId, prefixBits, network };
  }

  #listenerId(wanted: string): number | null {
    for (const [id, name] of this.#parts.listenerNames()) if (name === wanted) return id;
    return null;
  }

  #describe(worker: number, row: WorkerConnection, listenerNames: ReadonlyMap<number, string>): ConnectionInfo {
    const { state, clientAddress, clientPort, ageMs, idleMs, bytesToClient, bytesFromClient } = row;
    return {
      id: formatConnectionId({ ...row, worker }),
      worker,
      protocol: row.isUdp ? 'udp' : 'tcp',
      state,
      listener: listenerNames.get(row.listener) ?? '',
      clientAddress,
      clientPort,
      backend: row.slot < 0 ? null : this.#backendOf(row),
      rule: row.rule === '' ? null : row.rule,
      serverName: row.serverName === '' ? null : row.serverName,
      ageMs,
      idleMs,
      bytesToClient,
      bytesFromClient,
    };
  }

  #backendOf({ slot, owner, backendAddress, backendPort }: WorkerConnection): ConnectionBackend {
    const known = this.#parts.backends.at(slot, owner);
    const id = known?.id ?? null;
    if (backendAddress !== '') return { id, slot, address: backendAddress, port: backendPort };
    // Of one that is still being connected, or of a Unix socket, whose other end has no name to ask for.
    return { id, slot, address: known?.address ?? '', port: known?.port ?? 0 };
  }
}
