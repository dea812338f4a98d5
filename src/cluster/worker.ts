/**
 * A worker: one thread, one loop. It maps the control region, decides by it, and lets the relay move the bytes. It opens
 * no file, no database and no log; what it has to tell goes through shared memory or a message to the primary.
 */
import { loadNativeAddon, NATIVE_REGION_KIND, type NativeRelay } from '../adapters/outbound/native/native-addon.js';
import { RouteBatch } from '../application/route-batch.js';
import { AccessLists } from '../domain/admission/access-lists.js';
import { GeoTable } from '../domain/geo/geo-table.js';
import { ControlRegion } from '../domain/shared/control-region.js';
import {
  BATCH_CAPACITY,
  CLOCK_WORDS,
  NAME_BYTES,
  REQUEST_WORDS,
  RESPONSE_WORDS,
} from '../domain/shared/batch-layout.js';
import { END_REASONS, LAYOUT_HASH, WORKER } from '../domain/shared/layout.js';
import { slotOwner } from '../domain/shared/slot-owner.js';
import type { ConnectionQuestion } from './connection-questions.js';
import { startHeartbeat, workerLoad } from './heartbeat.js';
import { randomSeeds } from './random-seeds.js';
import { WorkerRules } from './worker-rules.js';
import { WORKER_FD, WORKER_SETTINGS_VARIABLE, type ToPrimary, type ToWorker, type WorkerBirth } from './messages.js';

const DRAIN_CHECK_MS = 25;

const { workerIndex, primaryPid, cpu, settings } = JSON.parse(
  process.env[WORKER_SETTINGS_VARIABLE] ?? '',
) as WorkerBirth;
process.title = `edgeproxy worker ${workerIndex}`;

// The terminal sends its signals to the whole group; only the primary answers them.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const)
  process.on(signal, () => undefined);
process.on('uncaughtException', (error: Error) => {
  tell({ type: 'crashed', message: error.message, stack: error.stack ?? '' }, () => process.exit(1));
});
process.on('disconnect', () => process.exit(1));

const native = loadNativeAddon();
native.dieWithParent(primaryPid);
// This thread alone, which does the work; the engine's own may clear up elsewhere meanwhile.
if (cpu !== null) native.pinToCpu(cpu);
const buffer = native.mapRegion(WORKER_FD.REGION);
native.closeFd(WORKER_FD.REGION);
const region = new ControlRegion(buffer);
const batchArrays = {
  requests: new Int32Array(BATCH_CAPACITY * REQUEST_WORDS),
  responses: new Int32Array(BATCH_CAPACITY * RESPONSE_WORDS),
  names: new Uint8Array(BATCH_CAPACITY * NAME_BYTES),
  clock: new Int32Array(CLOCK_WORDS),
};
const batch = new RouteBatch({ ...settings, ...batchArrays, region, worker: workerIndex, seeds: randomSeeds() });
const rules = new WorkerRules({
  ...batchArrays,
  batch,
  region,
  workerIndex,
  tellFailure: (failure) => tell({ type: 'matcherFailed', ...failure }),
  // Once nothing on the stack holds the one before.
  onReplaced: () => setImmediate(() => native.releaseUnusedRegions()),
});
const relay = startRelay();
/** Tells this worker's connections from those of who had its place before. */
const life = randomSeeds()[0] >>> 0;
const connections = (): number => relay.connectionCount();
const load = workerLoad({ native, region, worker: workerIndex, limits: settings, connections });
batch.useGate(load);
startHeartbeat(load);

process.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'configure':
      batch.configure(message.settings);
      load.configure(message.settings);
      relay.configure(message.settings);
      return tell({ type: 'configured' });
    case 'closeBackend':
      if (slotOwner(region, message.slot) !== message.owner) return;
      return relay.closeBackend(message.slot, END_REASONS.indexOf(message.reason));
    case 'question':
      return void answer(message.number, message.question);
    case 'leave':
      return message.listeners.forEach((id) => relay.leaveListener(id));
    case 'drain':
      return drain();
    case 'close':
      return end();
  }
});
tell({ type: 'ready' });

function startRelay(): NativeRelay {
  const taken = new Set<number>();
  return new native.Relay({
    ...settings,
    ...batchArrays,
    workerIndex,
    region: buffer,
    layoutHash: LAYOUT_HASH,
    channelFd: WORKER_FD.CHANNEL,
    onBatch: (count) => batch.route(count),
    onRegion: (kind, mapped) => {
      if (kind === NATIVE_REGION_KIND.GEO) batch.useCountries(new GeoTable(mapped));
      if (kind === NATIVE_REGION_KIND.ACCESS) batch.useLists(new AccessLists(mapped));
      if (kind === NATIVE_REGION_KIND.RULES) return rules.take(mapped);
      if (kind === NATIVE_REGION_KIND.ACCESS_LOG) return relay.useAccessLog(mapped);
      // Once nothing on the stack holds the one before.
      if (taken.has(kind)) setImmediate(() => native.releaseUnusedRegions());
      taken.add(kind);
    },
  });
}

/** The code for it is loaded with the first question: most workers are never asked. */
async function answer(number: number, question: ConnectionQuestion): Promise<void> {
  try {
    const { WorkerConnections } = await import('./worker-connections.js');
    const ruleName = (label: number): string => batch.ruleName(label);
    tell({ type: 'answer', number, answer: new WorkerConnections({ relay, region, life, ruleName }).answer(question) });
  } catch {
    // As where another version has been installed over this one: no reason to end connections.
    tell({ type: 'answer', number, answer: null });
  }
}

/** Clients on their way through the channel are not the relay's yet, but already counted in ACTIVE. */
function drain(): void {
  relay.drain();
  const activeAt = region.workerAt(workerIndex) + WORKER.ACTIVE;
  setInterval(() => {
    if (Atomics.load(region.words, activeAt) <= 0 && relay.connectionCount() === 0) end();
  }, DRAIN_CHECK_MS);
}

function end(): void {
  relay.close();
  process.exit(0);
}

function tell(message: ToPrimary, then?: () => void): void {
  process.send?.(message, () => then?.());
}
