/**
 * One chaos run: a proxy, backends and clients under disturbances for a while, then rest, and the proxy has to be what it was.
 * See README.md for what counts as a violation.
 */
import { join } from 'node:path';
import { eventually, within } from '../support/eventually.js';
import { latestPrimary } from '../support/generations.js';
import { descriptorKinds, isRunning } from '../support/process-facts.js';
import { startProxy, type ProxyProcess } from '../support/proxy-process.js';
import { edit } from '../support/routing-edits.js';
import { scratchDirectory, type Owner } from '../support/scratch-directory.js';
import { SharedCounters } from '../support/shared-counters.js';
import { ChaosBackend } from './backend.js';
import { ClientStream } from './client-stream.js';
import { ChaosClients } from './clients.js';
import { writeGoodConfig } from './config-file.js';
import { Disturber } from './disturber.js';
import { featuresOf } from './features.js';
import { footprintOf, heldBy, workersOf, type Footprint } from './footprint.js';
import { scheduleOf } from './schedule.js';
import { StreamContent } from './stream-content.js';
import { plainStream, planStream } from './stream-plan.js';
import { Violations } from './violations.js';

export interface ChaosOptions {
  readonly seed: string;
  readonly lengthMs: number;
  readonly accept: 'handoff' | 'reuseport';
  /** Streams at a time. */
  readonly lanes: number;
  /** Another installation's dist/cli/main.js. */
  readonly main?: string;
  readonly print?: (line: string) => void;
}

export interface ChaosReport {
  readonly outcomes: Readonly<Record<string, number>>;
  readonly disturbances: Readonly<Record<string, number>>;
  readonly downBytes: number;
  readonly before: Footprint;
  readonly after: Footprint;
  readonly violationCount: number;
  readonly violations: readonly string[];
}

const WORKERS = 3;
const BACKENDS = 4;
/** Streams under way may take so long to end by themselves. */
const GRACE_MS = 15_000;
/** A worker that has died often waits up to its longest back-off; places of the dead come back after that. */
const REST_MS = 60_000;
const PROBES = 12;
const PROBE_IDS = 0x7000_0000;
const PROBE_BYTES = 1 << 20;
/** The kernel's and the allocator's freedom: see README.md. */
const MEMORY_FACTOR = 2;
const MEMORY_SLACK_BYTES = 64 << 20;
const DESCRIPTOR_SLACK = 0;

export async function runChaos(owner: Owner, options: ChaosOptions): Promise<ChaosReport> {
  const rig = await ChaosRig.start(owner, options);
  return rig.run();
}

function planText(seed: string, stream: number): string {
  return JSON.stringify(planStream(seed, stream));
}

class ChaosRig {
  readonly #owner: Owner;
  readonly #options: ChaosOptions;
  readonly #violations: Violations;
  readonly #backends: readonly ChaosBackend[];
  readonly #proxy: ProxyProcess;
  readonly #configPath: string;
  readonly #content: StreamContent;
  #counters: SharedCounters;

  private constructor(
    owner: Owner,
    options: ChaosOptions,
    violations: Violations,
    backends: readonly ChaosBackend[],
    proxy: ProxyProcess,
    configPath: string,
  ) {
    this.#configPath = configPath;
    this.#owner = owner;
    this.#options = options;
    this.#violations = violations;
    this.#backends = backends;
    this.#proxy = proxy;
    this.#content = new StreamContent(options.seed);
    this.#counters = proxy.counters;
  }

  static async start(owner: Owner, options: ChaosOptions): Promise<ChaosRig> {
    const violations = new Violations();
    const backends = Array.from(
      { length: BACKENDS },
      // An address each: no outgoing connection can take the port of one that is down.
      (_, index) => new ChaosBackend(owner, options.seed, `127.0.0.${11 + index}`, violations),
    );
    await Promise.all(backends.map((backend) => backend.start()));
    const configPath = join(await scratchDirectory(owner), 'edgeproxy.toml');
    writeGoodConfig(configPath, 0);
    const proxy = await startProxy(owner, {
      accept: options.accept,
      workers: WORKERS,
      args: ['--config', configPath],
      backends: backends.map(({ address, port }) => ({ address, port })),
      env: featuresOf(options.seed).environment,
      ...(options.main === undefined ? {} : { main: options.main }),
    });
    return new ChaosRig(owner, options, violations, backends, proxy, configPath);
  }

  async run(): Promise<ChaosReport> {
    const { seed, lengthMs, lanes } = this.#options;
    await this.#probe('before');
    // The thread that reads the database starts with the first change, and keeps its descriptors from then on.
    await edit(this.#proxy, { b0: { weight: 2 } });
    await edit(this.#proxy, { b0: { weight: 1 } });
    await this.#rest('before');
    const before = this.#footprint();
    const kindsBefore = descriptorKinds(this.#proxy.pid);
    const disturber = new Disturber(this.#proxy, this.#backends, this.#configPath);
    const clients = new ChaosClients(this.#owner, seed, disturber.deaths, this.#violations);
    clients.start(this.#proxy.port, this.#proxy.address, lanes);
    await disturber.run(scheduleOf(seed, lengthMs));
    await clients.stop(GRACE_MS);
    await this.#everyProcessIsBack();
    await this.#rest('after');
    await this.#probe('after');
    await this.#rest('after the last clients');
    const after = await this.#comparedWith(before, kindsBefore);
    await this.#end();
    return {
      outcomes: Object.fromEntries(clients.outcomes),
      disturbances: Object.fromEntries(disturber.done),
      downBytes: clients.downBytes,
      before,
      after,
      violationCount: this.#violations.count,
      violations: this.#violations.found.map(({ stream, what }) => {
        const report = clients.reports.get(stream);
        const seen = report === undefined ? 'intact' : `${report.outcome} ${report.detail}`;
        return stream === 0 ? what : `stream ${stream}: ${what}; its client: ${seen}, plan ${planText(seed, stream)}`;
      }),
    };
  }

  /** Fresh clients are served, by every worker: handoff shares them evenly, reuseport nearly so. */
  async #probe(when: string): Promise<void> {
    const { port, address } = this.#proxy;
    const reports = await Promise.all(
      Array.from({ length: PROBES }, (_, index) => {
        const plan = plainStream(PROBE_IDS + index, PROBE_BYTES);
        return new ClientStream(plan, this.#content, { port, address, localAddress: `127.0.2.${1 + index}` }).run();
      }),
    );
    for (const { id, outcome, detail } of reports) {
      if (outcome !== 'intact') this.#violations.add(id, `a client ${when} the chaos: ${outcome} ${detail}`);
    }
  }

  async #everyProcessIsBack(): Promise<void> {
    const primary = latestPrimary(this.#proxy);
    const alive = (): number[] => this.#proxy.primaryPids.filter(isRunning);
    const isAlone = (): boolean => alive().length === 1 && alive()[0] === primary;
    await this.#expect('one version is left', isAlone, () => ({ primary, alive: alive() }));
    const workers = (): number[] => workersOf(primary);
    await this.#expect('every worker is alive', () => workers().length === WORKERS, workers);
    if (primary !== this.#proxy.pid) this.#counters = new SharedCounters(primary);
  }

  #rest(when: string): Promise<void> {
    const held = (): Readonly<Record<string, number>> => heldBy(this.#counters);
    const isZero = (): boolean => Object.values(held()).every((count) => count === 0);
    return this.#expect(`nothing is held ${when} the chaos`, isZero, held);
  }

  #footprint(): Footprint {
    return footprintOf(latestPrimary(this.#proxy), this.#counters);
  }

  async #comparedWith(before: Footprint, kindsBefore: Readonly<Record<string, number>>): Promise<Footprint> {
    const now = (): Footprint => this.#footprint();
    const most = (bytes: number): number => bytes * MEMORY_FACTOR + MEMORY_SLACK_BYTES;
    await this.#expect('as many processes as before', () => now().processes === before.processes, now);
    const areClosed = (): boolean =>
      now().primaryDescriptors <= before.primaryDescriptors + DESCRIPTOR_SLACK &&
      now().workerDescriptors <= before.workerDescriptors + DESCRIPTOR_SLACK;
    const state = (): object => ({
      before,
      now: now(),
      kindsBefore,
      kinds: descriptorKinds(latestPrimary(this.#proxy)),
    });
    await this.#expect('no more descriptors than before', areClosed, state);
    const isSmall = (): boolean =>
      now().primaryBytes <= most(before.primaryBytes) && now().workerBytes <= most(before.workerBytes);
    await this.#expect('no more memory than before', isSmall, () => ({ before, now: now() }));
    return now();
  }

  async #end(): Promise<void> {
    process.kill(latestPrimary(this.#proxy), 'SIGTERM');
    // Its log ends when the last version has ended; the code is that of the version started first.
    const { code, signal } = await within('the proxy ends after SIGTERM', this.#proxy.exit, REST_MS);
    if (code !== 0) this.#violations.add(0, `the proxy ended with code ${code}, signal ${signal}`);
    // A new version that meets a bad configuration file says so, and ends.
    const lines = this.#proxy.stderr.split('\n').filter((line) => line !== '' && !line.includes(this.#configPath));
    if (lines.length > 0) this.#violations.add(0, `standard error: ${lines.join('\n')}`);
  }

  async #expect(what: string, probe: () => boolean, state: () => unknown): Promise<void> {
    await eventually(what, probe, { deadlineMs: REST_MS, state }).catch((error: unknown) => {
      this.#violations.add(0, String(error));
    });
  }
}
