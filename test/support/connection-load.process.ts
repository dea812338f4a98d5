/** The child of ConnectionLoad. */
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { LoadCommand, LoadReport } from './connection-load.js';

const REPORT_EVERY_MS = 20;
/** Longer than any stall of a busy machine, shorter than the patience of the test. */
const PATIENCE_MS = 60_000;

const failed: Record<string, number> = {};
let answered = 0;
let serial = 0;
let isRunning = true;

process.on('message', (command: LoadCommand) => {
  if (command.type === 'stop') isRunning = false;
  else void run(command);
});
process.on('disconnect', () => process.exit());

async function run({ port, lanes, pauseMs }: LoadCommand & { type: 'start' }): Promise<void> {
  const reporting = setInterval(() => report(false), REPORT_EVERY_MS);
  await Promise.all(Array.from({ length: lanes }, (_, lane) => runLane(port, `127.0.2.${1 + (lane % 200)}`, pauseMs)));
  clearInterval(reporting);
  report(true);
}

async function runLane(port: number, localAddress: string, pauseMs: number): Promise<void> {
  while (isRunning) {
    const failure = await outcomeOfOne(port, localAddress, `${process.pid}:${serial++}\n`);
    if (failure === null) answered++;
    else failed[failure] = (failed[failure] ?? 0) + 1;
    if (pauseMs > 0) await delay(pauseMs);
  }
}

/** Null where exactly the message came back, then the end. */
function outcomeOfOne(port: number, localAddress: string, message: string): Promise<string | null> {
  return new Promise((resolve) => {
    let answer = '';
    let failure: string | null = null;
    const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true });
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('no answer in time')));
    socket.once('connect', () => socket.end(message));
    socket.on('data', (bytes) => (answer += bytes.toString('latin1')));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      failure = error.code === undefined ? error.message : `${error.syscall ?? ''} ${error.code}`.trim();
    });
    socket.once('close', () => {
      resolve(failure ?? (answer === message ? null : `wrong answer of ${answer.length} bytes`));
    });
  });
}

function report(isStopped: boolean): void {
  process.send?.({ answered, failed, isStopped } satisfies LoadReport);
}
