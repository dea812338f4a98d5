import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { Socket, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../support/eventually.js';
import { LogLines } from '../support/log-lines.js';

const LOGGING = fileURLToPath(new URL('../support/logging-process.ts', import.meta.url));
const COMPILED_LOGGER = new URL('../../dist/adapters/outbound/log/create-logger.js', import.meta.url).href;
/** A write that blocks would last for ever. */
const TIME_LIMIT = { timeout: 300_000 };
/** Several times what a pipe or a socket and the queue behind it hold. */
const MANY = 20_000;

/** All started, so that none outlives its test. */
const children: ChildProcess[] = [];

interface Report {
  readonly dropped: number;
}

/** A process that logs that many lines, tells over IPC how that went, and exits when told to. */
function startLogging(lines: number, stdout: number | Socket, format = 'json'): ChildProcess {
  const args = ['--import', 'tsx', LOGGING, String(lines), format];
  const child = spawn(process.execPath, args, { stdio: ['ignore', stdout, 'inherit', 'ipc'] });
  children.push(child);
  return child;
}

async function reportOf(child: ChildProcess): Promise<Report> {
  const [report] = (await once(child, 'message')) as [Report];
  return report;
}

async function end(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.send('exit');
  assert.deepEqual(await exit, [0, null]);
}

async function collect(stream: NodeJS.ReadableStream): Promise<string[]> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text.split('\n').slice(0, -1);
}

describe('the log', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'edgeproxy-log-'));
  });
  afterEach(() => {
    // A failed assertion must not leave a child that keeps the runner waiting.
    for (const child of children.splice(0)) child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });

  /** A true pipe: what child_process calls one is a pair of sockets. */
  function makePipe(): { readEnd: number; writeEnd: number } {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    const readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    return { readEnd, writeEnd: openSync(path, constants.O_WRONLY) };
  }

  /** The child holds the write end alone, so that its death ends the stream. */
  function startOnPipe(lines: number, format = 'json'): { child: ChildProcess; readEnd: number } {
    const { readEnd, writeEnd } = makePipe();
    const child = startLogging(lines, writeEnd, format);
    closeSync(writeEnd);
    return { child, readEnd };
  }

  it('neither stops nor grows where nobody reads the pipe, and says what it dropped', TIME_LIMIT, async () => {
    const { child, readEnd } = startOnPipe(MANY);
    const report = await reportOf(child);
    assert.ok(report.dropped > MANY / 4, `dropped ${report.dropped}`);
    // The reader is back: the rest arrives, whole and in order, and then the number of those that are lost.
    const log = new LogLines(new Socket({ fd: readEnd }));
    // Not by its end: a process that ends waits for its reader only for a moment.
    const last = await log.waitFor(({ droppedLines }) => droppedLines !== undefined);
    await end(child);
    const numbers = log.lines.flatMap(({ n }) => (n === undefined ? [] : [n]));
    assert.deepEqual(numbers, Array.from(numbers.keys()));
    assert.equal(numbers.length, MANY - report.dropped);
    assert.equal(last['droppedLines'], report.dropped);
    assert.equal(log.lines.at(-1), last);
  });

  it('lets the process end while the pipe is full and unread', TIME_LIMIT, async () => {
    const { child, readEnd } = startOnPipe(MANY);
    await reportOf(child);
    await end(child);
    closeSync(readEnd);
  });

  it('survives the death of its reader', TIME_LIMIT, async () => {
    const { child, readEnd } = startOnPipe(5000);
    closeSync(readEnd);
    assert.equal((await reportOf(child)).dropped, 5000);
    await end(child);
  });

  it('loses nothing where the reader keeps up', TIME_LIMIT, async () => {
    const { child, readEnd } = startOnPipe(2000);
    const { lines } = new LogLines(new Socket({ fd: readEnd }));
    assert.equal((await reportOf(child)).dropped, 0);
    await eventually('all are read', () => lines.length === 2000, { state: () => lines.length });
    await end(child);
    assert.deepEqual([...new Set(lines.map(({ raw }) => raw))], [undefined]);
  });

  it('neither stops nor grows on a socket that nobody reads, as the journal may be', TIME_LIMIT, async () => {
    const server = createServer({ pauseOnConnect: true }).listen(join(folder, 'journal'));
    await once(server, 'listening');
    const client = connect(join(folder, 'journal'));
    await once(client, 'connect');
    const child = startLogging(MANY, client);
    const report = await reportOf(child);
    assert.ok(report.dropped > MANY / 4, `dropped ${report.dropped}`);
    await end(child);
    client.destroy();
    server.close();
  });

  it('leaves a pipe that it shares as blocking as it was', TIME_LIMIT, async () => {
    const { readEnd, writeEnd } = makePipe();
    // The compiled logger: the TypeScript loader itself opens process.stdout, which sets the flag.
    const script = `import { createLogger } from ${JSON.stringify(COMPILED_LOGGER)};
      createLogger({ level: 'info', format: 'json', role: 'test' }).info({}, 'line');
      process.on('message', () => process.exit());
      process.send({});`;
    const args = ['--input-type=module', '-e', script];
    const child = spawn(process.execPath, args, { stdio: ['ignore', writeEnd, 'inherit', 'ipc'] });
    children.push(child);
    await reportOf(child);
    const flags = /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${writeEnd}`, 'utf8'))?.[1] ?? '';
    assert.equal(parseInt(flags, 8) & constants.O_NONBLOCK, 0);
    await end(child);
    closeSync(readEnd);
    closeSync(writeEnd);
  });

  it('appends to one file from two processes without losing a line', TIME_LIMIT, async () => {
    const path = join(folder, 'log');
    const file = openSync(path, 'w');
    const writers = [startLogging(1000, file), startLogging(1000, file)];
    await Promise.all(writers.map(reportOf));
    await Promise.all(writers.map(end));
    closeSync(file);
    const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
    assert.equal(lines.filter((line) => typeof JSON.parse(line) === 'object').length, 2000);
  });

  it('is one plain line per event where it is pretty and no terminal', TIME_LIMIT, async () => {
    const { child, readEnd } = startOnPipe(3, 'pretty');
    const reading = collect(new Socket({ fd: readEnd }));
    await reportOf(child);
    await end(child);
    const lines = await reading;
    assert.equal(lines.length, 3);
    assert.match(lines[0] ?? '', /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: test: line \{"n":0,.*\}$/);
  });
});
