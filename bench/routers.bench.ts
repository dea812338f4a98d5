/**
 * The price of one choice of each router, without reservation and binding, and what its tables cost to build when a backend's
 * health changes; beside them Maglev, which `hash` does not use (see ARCHITECTURE.md).
 *
 * One case per process, for the reason that route-decision.bench.ts gives: without arguments this starts one after the other.
 *
 * By hand: npx tsx routers.bench.ts [CASE BACKENDS]
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { bench, run } from 'mitata';
import { Pool } from '../src/domain/routing/pool.js';
import { ROUTER_PLUGINS, routerPlugin } from '../src/domain/routing/router-plugins.js';
import type { RouterContext, RouterSettings } from '../src/domain/routing/router.js';
import { SmoothSequence } from '../src/domain/routing/smooth-sequence.js';
import { Xorshift128 } from '../src/domain/routing/xorshift128.js';
import { BATCH_CAPACITY, NAME_BYTES, REQUEST, REQUEST_WORDS } from '../src/domain/shared/batch-layout.js';
import { BACKEND, WORDS_PER_LINE } from '../src/domain/shared/layout.js';
import { RouteTable } from '../src/domain/shared/route-table.js';
import { MaglevTable } from './src/maglev-table.js';

const COUNTS = [16, 1_000] as const;
const SIZES = 65_537;

interface Case {
  readonly name: string;
  /** What one turn does, and how many choices that are. */
  readonly choices: number;
  readonly turn: (backends: number) => () => void;
}

/** Backends of weights 1 to 3 (or all another one) in four regions, with some connections and connect times each. */
function contextOf(backends: number, weightOf = (index: number): number => 1 + (index % 3)): RouterContext {
  const words = new Int32Array((backends + 1) * WORDS_PER_LINE);
  const table = new RouteTable(backends, WORDS_PER_LINE);
  const routes = Int32Array.from({ length: backends }, (_, index) => index);
  for (const route of routes) {
    const line = (route + 1) * WORDS_PER_LINE;
    table.slot[route] = route;
    table.activeAt[route] = line + BACKEND.ACTIVE;
    table.hardLimit[route] = 0x7fffffff;
    table.weight[route] = weightOf(route);
    table.part[route] = 1_000;
    table.capacity[route] = 100 * weightOf(route);
    table.country[route] = route % 16;
    table.region[route] = 1 + (route % 4);
    table.keyHigh[route] = Math.imul(route + 1, 0x9e3779b1);
    table.keyLow[route] = Math.imul(route + 1, 0x85ebca6b);
    words[line + BACKEND.ACTIVE] = (Math.imul(route + 1, 0x9e3779b1) >>> 8) % 40;
    words[line + BACKEND.CONNECT_MICROS] = 1_000 + ((Math.imul(route + 1, 0x85ebca6b) >>> 8) % 100_000);
  }
  const pool = new Pool(table, words);
  pool.refill(routes, backends);
  const requests = new Int32Array(BATCH_CAPACITY * REQUEST_WORDS);
  for (let index = 0; index < BATCH_CAPACITY; index++) {
    const at = index * REQUEST_WORDS + REQUEST.ADDRESS;
    requests.set([0, 0, 0xffff, Math.imul(index + 1, 0x9e3779b1)], at);
  }
  return {
    words,
    pool,
    cursorAt: 0,
    requests,
    names: new Uint8Array(BATCH_CAPACITY * NAME_BYTES),
    countryOf: (request) => (request / REQUEST_WORDS) % 16,
    targetPort: () => 443,
    random: new Xorshift128([1, 2, 3, 4]),
  };
}

function choosing(name: string, config: RouterSettings): (backends: number) => () => void {
  return (backends) => {
    const plugin = routerPlugin(name);
    const parsed = plugin?.parse(config);
    if (plugin === undefined || parsed?.isValid !== true) throw new Error(`no router ${name} of that configuration`);
    const router = plugin.create(contextOf(backends), parsed.options);
    return () => {
      for (let index = 0; index < BATCH_CAPACITY; index++) {
        if (router.choose(index * REQUEST_WORDS) < 0) throw new Error('a client was turned away');
      }
    };
  };
}

/** Building what a router looks things up in, after each change. */
function building(make: (context: RouterContext) => () => void): (backends: number) => () => void {
  return (backends) => make(contextOf(backends));
}

function sequence(weightOf: (index: number) => number): (backends: number) => () => void {
  return (backends) => {
    const { pool } = contextOf(backends, weightOf);
    const built = new SmoothSequence();
    return () => built.build(pool.routes, pool.count, pool.table.weight);
  };
}

const OPTIONS: readonly (readonly [string, RouterSettings])[] = [
  ...ROUTER_PLUGINS.map(({ name }) => [name, {}] as const),
  ['hash', { load_factor: 1.25 }],
  ['weighted', { smooth_weighted: false }],
];

const CASES: readonly Case[] = [
  ...OPTIONS.map(([name, config]) => ({
    name: `${name}${Object.keys(config).length > 0 ? ` ${JSON.stringify(config)}` : ''}`,
    choices: BATCH_CAPACITY,
    turn: choosing(name, config),
  })),
  {
    name: 'Maglev, not used',
    choices: BATCH_CAPACITY,
    turn: building((context) => {
      const table = new MaglevTable(SIZES);
      table.build(context.pool);
      return () => {
        for (let index = 0; index < BATCH_CAPACITY; index++) {
          const at = index * REQUEST_WORDS + REQUEST.ADDRESS + 3;
          if (!context.pool.hasRoom(table.routeOf(context.requests[at] ?? 0))) throw new Error('no room');
        }
      };
    }),
  },
  {
    name: 'Maglev: build',
    choices: 1,
    turn: building(({ pool }) => {
      const table = new MaglevTable(SIZES);
      return () => table.build(pool);
    }),
  },
  {
    name: 'hash: build',
    choices: 1,
    turn: (backends) => {
      const context = contextOf(backends);
      const hash = routerPlugin('hash')?.create(context, { hashKey: 'client_ip', loadFactor: 0, seed: '' });
      return () => {
        context.pool.version++;
        hash?.choose(0);
      };
    },
  },
  { name: 'weighted: build, weights 1 to 3', choices: 1, turn: sequence((index) => 1 + (index % 3)) },
  { name: 'weighted: build, all weights different', choices: 1, turn: sequence((index) => 1 + index) },
];

async function measure(name: string, backends: number): Promise<void> {
  const it = CASES.find((one) => one.name === name);
  if (it === undefined) throw new Error(`expected one of ${CASES.map((one) => one.name).join(' | ')}`);
  bench(name, it.turn(backends));
  const { benchmarks } = await run({ format: 'quiet' });
  const stats = benchmarks[0]?.runs[0]?.stats;
  if (stats === undefined) throw new Error(`${name} failed`);
  const perChoice = (ns: number): string => (ns / it.choices).toFixed(1).padStart(12);
  process.stdout.write(
    `${name.padEnd(42)} ${String(backends).padStart(6)} ${perChoice(stats.min)} ${perChoice(stats.p50)}\n`,
  );
}

const [, , wanted, backends] = process.argv;
if (wanted !== undefined) await measure(wanted, Number(backends ?? COUNTS[0]));
else {
  process.stdout.write(`${'ns'.padEnd(42)} routes ${'least'.padStart(12)} ${'p50'.padStart(12)}\n`);
  for (const { name } of CASES) {
    for (const count of COUNTS) {
      const script = fileURLToPath(import.meta.url);
      spawnSync(process.execPath, ['--import', 'tsx', script, name, String(count)], { stdio: 'inherit' });
    }
  }
}
