/** Pipes held open by another user's process, so that little is left of that user's share (fs.pipe-user-pages-soft). */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { within } from './eventually.js';
import { DIE_WITH_PARENT } from './live-processes.js';
import { scratchDirectory, type Owner } from './scratch-directory.js';

/** What a new pipe takes of the share, while there is enough of it. */
const PIPE_PAGES = 16;

/** Opens each FIFO named on standard input: a FIFO is a pipe to the kernel, and this language has no other way to one. */
const PROGRAM = `
  const { openSync, readFileSync, constants } = require('node:fs');
  const paths = readFileSync(0, 'utf8').split('\\n').filter(Boolean);
  for (const path of paths) openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  console.log('held');
  setInterval(() => {}, 1 << 30);
`;

/** As many new pipes as a user without privileges gets at full size. */
export function pipesOfOneUser(): number {
  return Math.floor(Number(readFileSync('/proc/sys/fs/pipe-user-pages-soft', 'utf8')) / PIPE_PAGES);
}

/** Pipes that these processes have open; Node.js has some for itself. */
export function pipesOf(pids: readonly number[]): number {
  const descriptors = pids.flatMap((pid) => readdirSync(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`));
  return new Set(descriptors.map((path) => readlinkSync(path)).filter((link) => link.startsWith('pipe:'))).size;
}

/** Holds that many pipes as `uid`; resolves with how to let them go. */
export async function hoardPipes(owner: Owner, uid: number, pipes: number): Promise<() => Promise<void>> {
  const directory = await scratchDirectory(owner);
  const paths = Array.from({ length: pipes }, (_, index) => join(directory, String(index)));
  execFileSync('mkfifo', ['--mode=666', ...paths]);
  chownSync(directory, uid, uid);
  const [command, ...args] = [...DIE_WITH_PARENT, process.execPath, '-e', PROGRAM];
  const child = spawn(command, args, { uid, gid: uid, cwd: '/', stdio: ['pipe', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  const release = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exit;
  };
  owner.after(release);
  child.stdin.end(paths.join('\n'));
  await within('the pipes are held', once(child.stdout, 'data'));
  return release;
}
