/** One run at a time per machine: two would measure each other. An abstract socket is freed however its holder ends. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const NAME = '\0edgeproxy-bench';
const RETRY_MS = 1_000;

async function tryToHold(): Promise<Server | undefined> {
  const server = createServer().listen(NAME);
  try {
    await once(server, 'listening');
    return server.unref();
  } catch {
    return undefined;
  }
}

/** Waits until no other run holds the machine. */
export async function becomeOnlyRun(print: (line: string) => void): Promise<void> {
  let isTold = false;
  while ((await tryToHold()) === undefined) {
    if (!isTold) print('another run of the bench is under way on this machine: waiting for its end');
    isTold = true;
    await sleep(RETRY_MS);
  }
}
