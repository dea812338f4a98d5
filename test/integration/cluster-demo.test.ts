/** The demo as the README starts it: the command of `npm run demo`, then the very lines that it prints. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { eventually, within } from '../support/eventually.js';
import { killAtExit } from '../support/live-processes.js';
import { childPids, isRunning } from '../support/process-facts.js';
import { scratchDirectory } from '../support/scratch-directory.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TIME_LIMIT = { timeout: 300_000 };
const run = promisify(execFile);

function demoCommand(): string[] {
  const { scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { scripts: { demo: string } };
  return scripts.demo.split(' ');
}

class DemoProcess {
  readonly process: ChildProcess;
  readonly pid: number;
  output = '';
  readonly #exit: Promise<unknown[]>;

  /** `scratch` is its folder for temporary files. */
  constructor(scratch: string, listen: string) {
    const [, ...args] = demoCommand();
    const env = { ...process.env, TMPDIR: scratch, EDGEPROXY_LISTEN_ADDR: listen, EDGEPROXY_WORKERS: '2' };
    this.process = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'] });
    this.#exit = once(this.process, 'close');
    this.pid = this.process.pid ?? 0;
    killAtExit(this.pid);
    this.process.stdout?.on('data', (chunk) => (this.output += String(chunk)));
  }

  async curlLines(): Promise<string[]> {
    await eventually('the demo prints what to try', () => this.output.includes('Ctrl+C'), { state: () => this.output });
    return this.output.split('\n').filter((line) => line.trim().startsWith('curl '));
  }

  async exitCode(): Promise<unknown> {
    return (await within('the demo ends', this.#exit))[0];
  }
}

describe('the demo', TIME_LIMIT, () => {
  it('answers each printed curl line from the region that the line names', async (t) => {
    const scratch = await scratchDirectory(t);
    const demo = new DemoProcess(scratch, '127.0.0.1:0');
    const answers: Record<string, unknown> = {};
    for (const line of await demo.curlLines()) {
      const { stdout } = await run('sh', ['-c', line.replace('curl', 'curl --silent --show-error --max-time 20')]);
      answers[line.replace(/^.*# /, '')] = (JSON.parse(stdout) as { backend: string }).backend;
    }
    assert.deepEqual(answers, {
      "a client of no known country: this POP's region, sa": 'demo-sa',
      'a client from Brazil': 'demo-sa',
      'a client from the US': 'demo-us',
      'a client from Germany': 'demo-eu',
    });
    demo.process.kill('SIGINT');
    assert.equal(await demo.exitCode(), 0);
  });

  it('leaves neither files nor processes after Ctrl+C', async (t) => {
    const scratch = await scratchDirectory(t);
    const demo = new DemoProcess(scratch, '127.0.0.1:0');
    await demo.curlLines();
    assert.equal(readdirSync(scratch).length, 1);
    const pids = [demo.pid, ...childPids(demo.pid)];
    assert.equal(pids.length, 4, 'primary, two workers, one process for the backends');
    // A terminal sends the signal to the whole group.
    for (const pid of pids) process.kill(pid, 'SIGINT');
    assert.equal(await demo.exitCode(), 0);
    assert.deepEqual(readdirSync(scratch), []);
    await eventually('all its processes are gone', () => !pids.some(isRunning));
  });

  it('ends its backends when it is killed', async (t) => {
    const demo = new DemoProcess(await scratchDirectory(t), '127.0.0.1:0');
    const [line = ''] = await demo.curlLines();
    await run('sh', ['-c', line]);
    const pids = childPids(demo.pid);
    demo.process.kill('SIGKILL');
    await eventually('all its processes are gone', () => !pids.some(isRunning));
  });

  it('says which address is taken, exits with 2 and leaves nothing', async (t) => {
    const scratch = await scratchDirectory(t);
    const squatter = createServer().listen(0, '127.0.0.1');
    t.after(() => squatter.close());
    await once(squatter, 'listening');
    const address = `127.0.0.1:${(squatter.address() as AddressInfo).port}`;
    const demo = new DemoProcess(scratch, address);
    assert.equal(await demo.exitCode(), 2);
    assert.match(demo.output, new RegExp(`Cannot listen on ${address}: .*another program listens there`));
    assert.doesNotMatch(demo.output, /curl/);
    assert.deepEqual(readdirSync(scratch), []);
  });
});
