/**
 * A worker: one thread, one loop. It maps the control region, decides by it, and lets the relay move the bytes. It opens
 * no file, no database and no log; what it has to tell goes through shared memory or a message to the primary.
 */
import { loadNativeAddon, NATIVE_REGION_KIND, type NativeRelay } from '../adapters/outbound/native/native-addon.js';
import { RouteBatch } from '../application/route-batch.js';
import { GeoTable } from '../domain/geo/geo-table.js';
import { ControlRegion } from '../domain/shared/control-region.js';
import { BATCH_CAPACITY, LAYOUT_HASH, REQUEST_WORDS, RESPONSE_WORDS, WORKER } from '../domain/shared/layout.js';
import { randomSeeds } from './random-seeds.js';
import { WORKER_FD, WORKER_SETTINGS_VARIABLE, type ToPrimary, type ToWorker, type WorkerSettings } from './messages.js';

const DRAIN_CHECK_MS = 25;

const settings = JSON.parse(process.env[WORKER_SETTINGS_VARIABLE] ?? '') as WorkerSettings;
process.title = `edgeproxy worker ${settings.workerIndex}`;

// The terminal sends its signals to the whole group; only the primary answers them.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => undefined);
process.on('uncaughtException', (error: Error) => {
  tell({ type: 'crashed', message: error.message, stack: error.stack ?? '' }, () => process.exit(1));
});
process.on('disconnect', () => process.exit(1));

const native = loadNativeAddon();
native.dieWithParent(settings.primaryPid);
const buffer = native.mapRegion(WORKER_FD.REGION);
native.closeFd(WORKER_FD.REGION);
const region = new ControlRegion(buffer);
const relay = startRelay();

process.on('message', (message: ToWorker) => {
  if (message.type === 'drain') drain();
  else end();
});
tell({ type: 'ready' });

function startRelay(): NativeRelay {
  const requests = new Int32Array(BATCH_CAPACITY * REQUEST_WORDS);
  const responses = new Int32Array(BATCH_CAPACITY * RESPONSE_WORDS);
  const clock = new Int32Array(1);
  const batch = new RouteBatch({
    region,
    worker: settings.workerIndex,
    requests,
    responses,
    clock,
    bindingTtlSecs: settings.bindingTtlSecs,
    seeds: randomSeeds(),
  });
  let hasGeo = false;
  return new native.Relay({
    ...settings,
    region: buffer,
    layoutHash: LAYOUT_HASH,
    channelFd: WORKER_FD.CHANNEL,
    requests,
    responses,
    clock,
    onBatch: (count) => batch.route(count),
    onRegion: (kind, geo) => {
      if (kind !== NATIVE_REGION_KIND.GEO) return;
      batch.useCountries(new GeoTable(geo));
      // Once nothing on the stack holds the one before.
      if (hasGeo) setImmediate(() => native.releaseUnusedRegions());
      hasGeo = true;
    },
  });
}

/** Clients on their way through the channel are not the relay's yet, but already counted in ACTIVE. */
function drain(): void {
  relay.drain();
  const activeAt = region.workerAt(settings.workerIndex) + WORKER.ACTIVE;
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
