/** The clients of the chaos run, in a process of their own: as many streams at a time as told, until told to stop. */
import { setTimeout as delay } from 'node:timers/promises';
import { ClientStream, type StreamReport } from './client-stream.js';
import type { ClientsCommand, ClientsNote } from './clients.js';
import { StreamContent } from './stream-content.js';
import { planStream } from './stream-plan.js';

const [seed = ''] = process.argv.slice(2);
/** Loopback addresses that clients come from: affinity binds each to a backend. */
const ADDRESSES = 120;
const PAUSE_MS = 15;

const content = new StreamContent(seed);
const live = new Set<ClientStream>();
let isStopping = false;
let nextId = 1;

process.on('disconnect', () => process.exit());
process.on('message', (command: ClientsCommand) => {
  switch (command.type) {
    case 'start':
      return void Promise.all(Array.from({ length: command.lanes }, () => runLane(command))).then(() =>
        tell({ type: 'stopped' }),
      );
    case 'stop':
      isStopping = true;
      return void delay(command.graceMs).then(() => {
        for (const stream of live) stream.abandon();
      });
  }
});

async function runLane(to: { readonly port: number; readonly address: string }): Promise<void> {
  while (!isStopping) {
    const id = nextId++;
    const stream = new ClientStream(planStream(seed, id), content, {
      ...to,
      localAddress: `127.0.1.${1 + (id % ADDRESSES)}`,
    });
    live.add(stream);
    tell({ type: 'stream', report: await stream.run() });
    live.delete(stream);
    await delay(PAUSE_MS);
  }
}

function tell(note: { readonly type: 'stream'; readonly report: StreamReport } | { readonly type: 'stopped' }): void {
  process.send?.(note satisfies ClientsNote);
}
