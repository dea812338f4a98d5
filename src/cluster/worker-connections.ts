/** Answers the primary's questions about this worker's connections. Loaded with the first of them. */
import type { NativeConnectionPage, NativeRelay } from '../adapters/outbound/native/native-addon.js';
import type { ControlRegion } from '../domain/shared/control-region.js';
import { formatIpAddress } from '../domain/ip-address.js';
import {
  CONNECTION_STATES,
  FILTER,
  FILTER_NUMBERS,
  MOST_LISTED,
  RECORD,
  RECORD_NAME_BYTES,
  RECORD_NUMBERS,
} from '../domain/shared/batch-layout.js';
import { UNIX_PORT } from '../domain/shared/layout.js';
import { slotOwner } from '../domain/shared/slot-owner.js';
import {
  NOTHING,
  type ConnectionAnswer,
  type ConnectionName,
  type ConnectionQuestion,
  type WorkerConnection,
  type WorkerFilter,
} from './connection-questions.js';

export interface WorkerConnectionsParts {
  readonly relay: Pick<NativeRelay, 'listConnections' | 'killConnections' | 'killConnection'>;
  readonly region: ControlRegion;
  /** See ConnectionName. */
  readonly life: number;
  readonly ruleName: (label: number) => string;
}

export class WorkerConnections {
  readonly #parts: WorkerConnectionsParts;

  constructor(parts: WorkerConnectionsParts) {
    this.#parts = parts;
  }

  answer(question: ConnectionQuestion): ConnectionAnswer {
    if (question.ask === 'kill') return this.#kill(question.connection);
    const { filter, from, most } = question;
    // As with an order to close a backend's connections: the slot may have gone to another one since.
    if (filter.slot >= 0 && slotOwner(this.#parts.region, filter.slot) !== filter.owner) return NOTHING;
    if (question.ask === 'list') return this.#list(numbersOf(filter), from, most);
    return { ...this.#parts.relay.killConnections(numbersOf(filter), from, most), connections: [] };
  }

  #kill({ life, isUdp, index, generation }: ConnectionName): ConnectionAnswer {
    const isKilled = life === this.#parts.life && this.#parts.relay.killConnection(isUdp ? 1 : 0, index, generation);
    return { ...NOTHING, count: isKilled ? 1 : 0 };
  }

  #list(filter: Float64Array, from: number, most: number): ConnectionAnswer {
    // For this answer alone: nothing is held while nobody asks.
    const records = new Float64Array(MOST_LISTED * RECORD_NUMBERS);
    const names = new Uint8Array(MOST_LISTED * RECORD_NAME_BYTES);
    const page: NativeConnectionPage = this.#parts.relay.listConnections(filter, from, most, records, names);
    const connections = Array.from({ length: page.count }, (_, place) => this.#describe(records, names, place));
    return { ...page, connections };
  }

  #describe(records: Float64Array, names: Uint8Array, place: number): WorkerConnection {
    const { region, life, ruleName } = this.#parts;
    const record = records.subarray(place * RECORD_NUMBERS, (place + 1) * RECORD_NUMBERS);
    const number = (at: number): number => record[at] ?? 0;
    const nameAt = place * RECORD_NAME_BYTES;
    const slot = number(RECORD.SLOT);
    const isAtPath = number(RECORD.BACKEND_PORT) === UNIX_PORT;
    const isConnected = number(RECORD.BACKEND_PORT) > 0 && !isAtPath;
    return {
      life,
      isUdp: number(RECORD.IS_UDP) !== 0,
      index: number(RECORD.INDEX),
      generation: number(RECORD.GENERATION),
      state: CONNECTION_STATES[number(RECORD.STATE)] ?? 'routing',
      listener: number(RECORD.LISTENER),
      clientAddress: addressAt(record, RECORD.CLIENT_ADDRESS),
      clientPort: number(RECORD.CLIENT_PORT),
      slot,
      owner: slot < 0 ? 0 : slotOwner(region, slot),
      backendAddress: isConnected ? addressAt(record, RECORD.BACKEND_ADDRESS) : '',
      backendPort: isConnected ? number(RECORD.BACKEND_PORT) : 0,
      rule: ruleName(number(RECORD.RULE)),
      // Letters, digits, `-`, `_` and dots alone, see native/engine/server_name.h.
      serverName: String.fromCharCode(...names.subarray(nameAt, nameAt + number(RECORD.NAME_LENGTH))),
      ageMs: number(RECORD.AGE_MS),
      idleMs: number(RECORD.IDLE_MS),
      bytesToClient: number(RECORD.BYTES_TO_CLIENT),
      bytesFromClient: number(RECORD.BYTES_FROM_CLIENT),
    };
  }
}

function numbersOf({ slot, listener, prefixBits, network }: WorkerFilter): Float64Array {
  const numbers = new Float64Array(FILTER_NUMBERS);
  numbers[FILTER.SLOT] = slot;
  numbers[FILTER.LISTENER] = listener;
  numbers[FILTER.PREFIX_BITS] = prefixBits;
  numbers.set(network.slice(0, 4), FILTER.NETWORK);
  return numbers;
}

function addressAt(record: Float64Array, at: number): string {
  return formatIpAddress(record[at] ?? 0, record[at + 1] ?? 0, record[at + 2] ?? 0, record[at + 3] ?? 0);
}
