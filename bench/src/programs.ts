/** Programs of the machine. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

// A plain user's PATH often lacks the folder that Debian installs daemons into.
const EXTRA_DIRECTORIES = ['/usr/sbin', '/usr/local/sbin'];

export function findProgram(name: string): string | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), ...EXTRA_DIRECTORIES];
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path));
}

export function firstLineOf(command: string, args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  return `${stdout}${stderr}`.trim().split('\n', 1)[0] ?? '';
}

/** The hard limit of open files, which every process that the bench starts inherits. */
export function hardFileLimit(): number {
  const limit = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
  return limit === 'unlimited' ? 1_048_576 : Number(limit);
}
