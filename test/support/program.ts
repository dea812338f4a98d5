/** Other people's programs, as clients and backends. */
import { execFile, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { killAtExit } from './live-processes.js';
import type { Owner } from './scratch-directory.js';

/** Debian has those of servers outside of users' paths. */
const PLACES = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
const TIMEOUT_MS = 60_000;

/** Where it is; a test that cannot be run fails and says what to install. */
export function program(name: string, debianPackage: string): string {
  for (const place of PLACES) {
    const path = join(place, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here.
    }
  }
  throw new Error(`${name} is missing: apt-get install ${debianPackage}`);
}

/** Runs until the owner ends. */
export function startProgram(owner: Owner, path: string, args: readonly string[]): void {
  const child = spawn(path, args, { stdio: 'ignore' });
  if (child.pid !== undefined) killAtExit(child.pid);
  owner.after(() => void child.kill('SIGKILL'));
}

/** What it writes; rejects with what it says where it fails or takes too long. */
export async function outputOf(path: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(path, args, { timeout: TIMEOUT_MS, maxBuffer: 1 << 24 });
  return stdout;
}
