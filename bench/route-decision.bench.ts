/**
 * The price of one routing decision: geo look-up in the embedded database, affinity, scores, reservation, binding. Whole batches of 256
 * are timed, as the relay calls it. Every client is new: its binding is looked up in vain and made.
 *
 * One case per process, as a worker has one RouteBatch: a second one in the same process costs both their speed (see
 * src/domain/routing/route-scan.ts).
 *
 * By hand: npx tsx route-decision.bench.ts 0|1|2|3        for the bench: … --json
 */
import { bench, run } from 'mitata';
import type { Decision } from './src/works/micro-benchmark.js';
import { EmbeddedGeoSource } from '../src/adapters/outbound/geo/embedded-geo-source.js';
import { RouteBatch } from '../src/application/route-batch.js';
import { AccessLists } from '../src/domain/admission/access-lists.js';
import { compileAccess } from '../src/domain/admission/compile-access.js';
import type { Backend } from '../src/domain/backend.js';
import { GeoTable } from '../src/domain/geo/geo-table.js';
import { regionTable } from '../src/domain/regions.js';
import { BindingTable } from '../src/domain/shared/binding-table.js';
import { initialiseRegion, regionBytes, setsFor, type ControlRegion } from '../src/domain/shared/control-region.js';
import {
  BATCH_CAPACITY,
  NAME_BYTES,
  REQUEST,
  REQUEST_WORDS,
  RESPONSE,
  RESPONSE_WORDS,
} from '../src/domain/shared/batch-layout.js';
import { BACKEND, BINDING_WAYS, CLIENT_WAYS, RATE_WAYS } from '../src/domain/shared/layout.js';
import { RoutesWriter } from '../src/domain/shared/routes-writer.js';

const CLIENTS = 65_536;
const TTL_SECS = 600;
/** Limits that nobody here reaches. */
const GUARDED = { maxConnectionsPerIp: 1_000, rateLimit: { maxRequests: 1_000_000, windowSecs: 1, burst: 1_000_000 } };
const MAPPED_IPV4 = 0xffff;
const SEEDS = [0x2545f491, 0x4f6cdd1d, 0x1b873593, 0x0cc9e2d5] as const;
const PLACES = [
  ['sa', 'BR'],
  ['sa', 'AR'],
  ['sa', 'CL'],
  ['sa', 'CO'],
  ['us', 'US'],
  ['us', 'CA'],
  ['us', 'MX'],
  ['us', 'US'],
  ['eu', 'DE'],
  ['eu', 'FR'],
  ['eu', 'GB'],
  ['eu', 'NL'],
  ['ap', 'JP'],
  ['ap', 'IN'],
  ['ap', 'SG'],
  ['ap', 'AU'],
] as const;

function backends(count: number, places: readonly (readonly [string, string])[]): Backend[] {
  return Array.from({ length: count }, (_, index) => {
    const [region, country] = places[index % places.length] ?? ['', ''];
    const address = `10.0.${index >> 8}.${index & 255}`;
    const limits = { weight: 1 + (index % 3), softLimit: 100, hardLimit: 0 };
    return {
      id: `b${index}`,
      app: 'bench',
      region,
      country,
      address,
      port: 80,
      isHealthy: true,
      isDraining: false,
      ...limits,
    };
  });
}

/** A hundred thousand networks and two countries, none of which a client is from, so that every question is asked. */
function accessLists(): AccessLists {
  const denyCidrs = Array.from({ length: 100_000 }, (_, index) => {
    const spread = Math.imul(index, 0x9e3779b1) >>> 8;
    return `240.${(spread >>> 16) & 255}.${(spread >>> 8) & 255}.${spread & 255}`;
  });
  const bytes = compileAccess({ denyCidrs, denyCountries: ['AQ', 'BV'], allowCidrs: [], allowCountries: [] });
  const region = new SharedArrayBuffer(bytes.length);
  new Uint8Array(region).set(bytes);
  return new AccessLists(region);
}

/** Addresses all over IPv4, always the same. */
function clientAddresses(): Int32Array {
  const addresses = new Int32Array(CLIENTS);
  let state: number = SEEDS[0];
  for (let index = 0; index < CLIENTS; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    addresses[index] = state ^ (state >>> 15);
  }
  return addresses;
}

async function embeddedGeo(): Promise<GeoTable> {
  const source = new EmbeddedGeoSource({
    createRegion: (_name, bytes) => ({ fd: -1, buffer: new SharedArrayBuffer(bytes) }),
    closeFd: () => undefined,
  });
  const region = await source.loadIfChanged();
  if (region === null) throw new Error('no embedded geo database: run npm run build in the repository');
  return new GeoTable(region.buffer);
}

function controlRegion(listed: readonly Backend[]): ControlRegion {
  const capacity = {
    workers: 1,
    backends: 1_024,
    bindingSets: setsFor(2 * CLIENTS, BINDING_WAYS),
    rateSets: setsFor(2 * CLIENTS, RATE_WAYS),
    clientSets: setsFor(2 * CLIENTS, CLIENT_WAYS),
  };
  const region = initialiseRegion(new SharedArrayBuffer(regionBytes(capacity)), capacity, SEEDS);
  const { leftOut } = new RoutesWriter(region, new BindingTable(region)).publish(listed, regionTable(), 'sa');
  if (leftOut.length > 0) throw new Error(`${leftOut.length} backends were left out`);
  return region;
}

/** Returns a function that decides for the next 256 clients. */
function decider(listed: readonly Backend[], geo: GeoTable, clients: Int32Array, isGuarded: boolean): () => void {
  const region = controlRegion(listed);
  const requests = new Int32Array(BATCH_CAPACITY * REQUEST_WORDS);
  const responses = new Int32Array(BATCH_CAPACITY * RESPONSE_WORDS);
  const names = new Uint8Array(BATCH_CAPACITY * NAME_BYTES);
  const clock = new Int32Array([1, 0]);
  const batch = new RouteBatch({
    region,
    worker: 0,
    requests,
    responses,
    names,
    clock,
    bindingTtlSecs: TTL_SECS,
    admission: isGuarded ? GUARDED : { maxConnectionsPerIp: 0, rateLimit: null },
    seeds: SEEDS,
  });
  if (isGuarded) batch.useLists(accessLists());
  batch.useCountries(geo);
  for (let index = 0; index < BATCH_CAPACITY; index++)
    requests[index * REQUEST_WORDS + REQUEST.ADDRESS + 2] = MAPPED_IPV4;
  const firstActive = region.backendAt(0) + BACKEND.ACTIVE;
  const stride = region.backendAt(1) - region.backendAt(0);
  let next = 0;
  return () => {
    if (next === CLIENTS) {
      next = 0;
      clock[0] = (clock[0] ?? 0) + TTL_SECS + 1; // nobody who comes back is still bound
    }
    for (let index = 0; index < BATCH_CAPACITY; index++)
      requests[index * REQUEST_WORDS + REQUEST.ADDRESS + 3] = clients[next++] ?? 0;
    // The relay gives places back when connections end; here they end with the batch.
    for (let slot = 0; slot < listed.length; slot++) region.words[firstActive + slot * stride] = 0;
    batch.route(BATCH_CAPACITY);
    for (let index = 0; index < BATCH_CAPACITY; index++) {
      const word = responses[index * RESPONSE_WORDS + RESPONSE.CLIENT] ?? 0;
      if (word > 0) region.words[word] = 0;
    }
    if ((responses[RESPONSE.SLOT] ?? -1) < 0) throw new Error('a client was turned away');
  };
}

async function main(): Promise<void> {
  const geo = await embeddedGeo();
  const clients = clientAddresses();
  const cases: readonly (readonly [string, Backend[], boolean])[] = [
    ['16 backends', backends(16, PLACES), false],
    ['1,000 backends', backends(1_000, PLACES), false],
    ['1,000 backends in one country', backends(1_000, [['sa', 'BR']]), false],
    ['16 backends, rate, connections per address and lists on', backends(16, PLACES), true],
  ];
  const [name, listed, isGuarded = false] = cases[Number(process.argv[2])] ?? [];
  if (name === undefined || listed === undefined) throw new Error(`expected a case from 0 to ${cases.length - 1}`);
  bench(name, decider(listed, geo, clients, isGuarded));
  const isForBench = process.argv.includes('--json');
  const { benchmarks } = await run({ format: isForBench ? 'quiet' : 'mitata' });
  const decisions = benchmarks.map(({ alias, runs }): Decision => {
    const stats = runs[0]?.stats;
    if (stats === undefined) throw new Error(`${alias} failed`);
    return { name: alias, p50Us: stats.p50 / 1e3 / BATCH_CAPACITY, averageUs: stats.avg / 1e3 / BATCH_CAPACITY };
  });
  process.stdout.write(
    isForBench ? `${JSON.stringify(decisions)}\n` : `per decision: ${JSON.stringify(decisions, null, 2)}\n`,
  );
}

await main();
