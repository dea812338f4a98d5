/** A backend on a Unix socket in a process of its own, so that it can be killed: it echoes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { within } from './eventually.js';
import { DIE_WITH_PARENT, forget, killAtExit } from './live-processes.js';
import type { Owner } from './scratch-directory.js';

const ECHO = `
const { createServer } = require('node:net');
createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(process.argv[1], () => console.log('listening'));
`;

export interface UnixBackendProcess {
  /** SIGKILL; the socket's file stays. Resolves when the process is gone. */
  kill(): Promise<void>;
}

export async function startUnixBackend(owner: Owner, path: string): Promise<UnixBackendProcess> {
  const words: string[] = [...DIE_WITH_PARENT, process.execPath, '-e', ECHO, path];
  const child = spawn(words[0] ?? '', words.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.pid !== undefined) killAtExit(child.pid);
  const exited = once(child, 'exit').then(() => {
    if (child.pid !== undefined) forget(child.pid);
  });
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  owner.after(kill);
  await within('the backend listens', once(child.stdout, 'data'));
  return { kill };
}
