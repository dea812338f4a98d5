/**
 * The built proxy as a process of its own, as users run it: port 0, a routing database of its own, its log read as JSON.
 *
 *   const proxy = await startProxy(t, { backends: [{ port: backend.port }], env: { EDGEPROXY_SPLICE: 'off' } });
 *   … connect to proxy.address / proxy.port, read proxy.counters, await proxy.waitForLog(…) …
 *
 * Nothing has to be stopped: when the owner (a test, or a file through `{ after }`) ends, the process is killed and its
 * directory removed.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { chownSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BoundListener } from '../../src/application/listener-config.js';
import { within } from './eventually.js';
import { DIE_WITH_PARENT, forget, killAtExit, killQuietly, killTree } from './live-processes.js';
import { LogLines, type LogLine } from './log-lines.js';
import { childPids, commandLine } from './process-facts.js';
import { writeRoutingFile, type BackendSpec } from './routing-file.js';
import { scratchDirectory, type Owner } from './scratch-directory.js';
import { SharedCounters } from './shared-counters.js';

export interface ProxyOptions {
  /** Rows of the routing database. */
  readonly backends?: readonly BackendSpec[];
  /** An existing database instead; then `backends` is not used. */
  readonly databasePath?: string;
  /** EDGEPROXY_ variables; nothing of that name is inherited from this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Further arguments after `start`. */
  readonly args?: readonly string[];
  readonly workers?: number;
  readonly accept?: 'handoff' | 'reuseport';
  readonly listen?: string;
  /** Another installation's dist/cli/main.js. */
  readonly main?: string;
  /** Run by another user; only root can ask for it. */
  readonly uid?: number;
  /** Put before the command, for instance ['prlimit', '--nofile=100', '--']; the process must stay the same (exec). */
  readonly prefix?: readonly string[];
}

export interface ProxyExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = join(ROOT, 'dist/cli/main.js');
const ADDON = join(ROOT, 'build/Release/edgeproxy.node');
const READY_MS = 90_000;
const EXIT_MS = 90_000;

/** Starts a proxy and waits until every worker takes clients. */
export async function startProxy(owner: Owner, options: ProxyOptions = {}): Promise<ProxyProcess> {
  const proxy = await spawnProxy(owner, options);
  await proxy.ready();
  return proxy;
}

/** Starts a proxy that may well fail to: the caller waits for `ready()` or `exit`. */
export async function spawnProxy(owner: Owner, options: ProxyOptions = {}): Promise<ProxyProcess> {
  for (const file of [MAIN, ADDON]) {
    if (!existsSync(file)) throw new Error(`${file} is missing: run \`npm run build\` first`);
  }
  let proxy: ProxyProcess | null = null;
  // Before the directory goes, which it writes to.
  owner.after(() => proxy?.kill());
  const directory = await scratchDirectory(owner);
  const databasePath = options.databasePath ?? join(directory, 'routing.db');
  if (options.databasePath === undefined) writeRoutingFile(databasePath, options.backends ?? []);
  if (options.uid !== undefined)
    for (const path of [directory, databasePath]) chownSync(path, options.uid, options.uid);
  proxy = new ProxyProcess(directory, databasePath, options);
  return proxy;
}

export class ProxyProcess {
  readonly pid: number;
  readonly directory: string;
  readonly databasePath: string;
  readonly log: LogLines;
  /** Settles when the process is gone and its output read. */
  readonly exit: Promise<ProxyExit>;
  /** What it wrote to standard error. */
  stderr = '';
  readonly #child: ChildProcess;
  readonly #workers: number;
  #listen: readonly BoundListener[] = [];
  #counters: SharedCounters | null = null;
  #hasExited = false;

  constructor(directory: string, databasePath: string, options: ProxyOptions) {
    const { workers = 2, prefix = [], args = [], main = MAIN, uid } = options;
    this.directory = directory;
    this.databasePath = databasePath;
    this.#workers = workers;
    const [command = process.execPath, ...rest] = [
      ...DIE_WITH_PARENT,
      ...prefix,
      process.execPath,
      main,
      'start',
      ...args,
    ];
    const child = spawn(command, rest, {
      cwd: directory,
      env: environment(databasePath, workers, options),
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    if (child.pid === undefined) throw new Error(`cannot start ${command}`);
    this.#child = child;
    this.pid = child.pid;
    killAtExit(this.pid);
    this.log = new LogLines(child.stdout);
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.exit = this.#watchExit();
  }

  /** Waits until the proxy says that it is ready and each worker takes clients. */
  async ready(): Promise<void> {
    const line = await this.waitForLog((each) => each['msg'] === 'edgeproxy is ready', READY_MS);
    this.#listen = line['listen'] as BoundListener[];
    for (let index = 0; index < this.#workers; index++) {
      await this.waitForLog((each) => each['msg'] === 'worker takes clients' && each['worker'] === index, READY_MS);
    }
  }

  /** Of the first listener. */
  get port(): number {
    return this.#listen[0]?.port ?? 0;
  }

  get address(): string {
    return this.#listen[0]?.address ?? '';
  }

  /** All listeners with their real ports, as they were at the start. */
  get listen(): readonly BoundListener[] {
    return this.#listen;
  }

  /** The listener of that name, of the start or opened since. */
  listener(name: string): BoundListener {
    const opened = this.log.lines
      .filter(({ msg }) => msg === 'listener opened')
      .map(({ listen }) => listen as BoundListener);
    const found = [...this.#listen, ...opened].findLast((listener) => listener.name === name);
    if (found === undefined) throw new Error(`there is no listener ${name}`);
    return found;
  }

  /** The shared memory; call it first while the proxy runs, it stays readable afterwards. */
  get counters(): SharedCounters {
    this.#counters ??= new SharedCounters(this.pid);
    return this.#counters;
  }

  /** Pids of the workers by index, the latest of each, from the log. */
  get workerPids(): number[] {
    const pids: number[] = [];
    for (const line of this.log.lines) {
      if (line['msg'] === 'worker takes clients') pids[Number(line['worker'])] = Number(line['workerPid']);
    }
    return pids;
  }

  /** The primary that was started here, then every newer version that was started in its place. */
  get primaryPids(): number[] {
    const started = this.log.lines.filter(({ msg }) => msg === 'SIGUSR2: starting the new version');
    return [this.pid, ...started.map(({ newPid }) => Number(newPid))];
  }

  /** Every process of the proxy. */
  get pids(): number[] {
    return [this.pid, ...childPids(this.pid)];
  }

  /** The first line that fits, past or future. */
  waitForLog(predicate: (line: LogLine) => boolean, deadlineMs?: number): Promise<LogLine> {
    return this.log.waitFor(predicate, deadlineMs);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Sends the signal and resolves with how the process ended. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<ProxyExit> {
    this.signal(signal);
    return within(`the proxy ends after ${signal}${this.log.tail()}`, this.exit, EXIT_MS);
  }

  /** SIGKILL for all its processes; idempotent. */
  async kill(): Promise<void> {
    if (!this.#hasExited) killTree(this.pid);
    for (const pid of this.primaryPids.slice(1)) if (isPrimary(pid)) killTree(pid);
    // Orphans, which should not be; their output would keep `exit` waiting.
    const orphans = this.workerPids.filter((pid) => commandLine(pid).startsWith('edgeproxy worker'));
    for (const pid of orphans) killQuietly(pid);
    await this.exit;
  }

  #watchExit(): Promise<ProxyExit> {
    return new Promise((resolve) => {
      this.#child.once('exit', () => {
        this.#hasExited = true;
        forget(this.pid);
      });
      this.#child.once('close', (code, signal) => {
        const stderr = this.stderr === '' ? '' : `\n    stderr: ${this.stderr}`;
        this.log.end(`the proxy ended (code ${code}, signal ${signal})${stderr}`);
        resolve({ code, signal });
      });
    });
  }
}

/** By the name that it gives itself, or before that by its command. */
function isPrimary(pid: number): boolean {
  const command = commandLine(pid);
  return command === 'edgeproxy' || command.includes('main.js start');
}

function environment(databasePath: string, workers: number, options: ProxyOptions): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('EDGEPROXY_') && name !== 'NODE_OPTIONS',
  );
  return {
    ...Object.fromEntries(inherited),
    EDGEPROXY_LISTEN_ADDR: options.listen ?? '127.0.0.1:0',
    EDGEPROXY_DB_PATH: databasePath,
    EDGEPROXY_WORKERS: String(workers),
    EDGEPROXY_ACCEPT: options.accept ?? 'handoff',
    EDGEPROXY_LOG_LEVEL: 'debug',
    EDGEPROXY_LOG_FORMAT: 'json',
    EDGEPROXY_SHUTDOWN_TIMEOUT_SECS: '5',
    // What is no test of it must not fail where the machine is too busy to let a worker be on time.
    EDGEPROXY_OVERLOAD_LAG_MS: '0',
    ...options.env,
  };
}
