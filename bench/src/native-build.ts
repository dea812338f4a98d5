/** Compiles the load generator, the backend and the delay device, once per state of their sources. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export interface NativePrograms {
  readonly client: string;
  readonly backend: string;
  /** A network of its own with a backend that is far away. */
  readonly delayTun: string;
}

const FLAGS = ['-O2', '-std=gnu17', '-Wall', '-Wextra'];
const SHARED = ['net.c', 'pattern.c'];
const BACKEND_ONLY = ['backend.c', 'behaviour.c', 'datagram-echo.c'];
const DELAY_ONLY = ['delay-tun.c'];

export function buildNative(benchDirectory: string): NativePrograms {
  const sourceDirectory = join(benchDirectory, 'native');
  const files = readdirSync(sourceDirectory).sort();
  const hash = createHash('sha256').update(FLAGS.join(' '));
  for (const file of files) hash.update(file).update(readFileSync(join(sourceDirectory, file)));
  const directory = join(benchDirectory, 'build', hash.digest('hex').slice(0, 16));
  const programs = {
    client: join(directory, 'client'),
    backend: join(directory, 'backend'),
    delayTun: join(directory, 'delay-tun'),
  };
  if (Object.values(programs).every((path) => existsSync(path))) return programs;

  mkdirSync(directory, { recursive: true });
  const sources = files.filter((file) => file.endsWith('.c'));
  const compile = (output: string, chosen: readonly string[]): void => {
    const paths = chosen.map((file) => join(sourceDirectory, file));
    execFileSync(process.env['CC'] ?? 'gcc', [...FLAGS, '-o', output, ...paths], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  };
  compile(programs.backend, [...BACKEND_ONLY, ...SHARED]);
  compile(programs.delayTun, [...DELAY_ONLY, ...SHARED]);
  compile(
    programs.client,
    sources.filter((file) => !BACKEND_ONLY.includes(file) && !DELAY_ONLY.includes(file)),
  );
  return programs;
}
