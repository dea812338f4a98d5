/** Where and with what a run was made. */
import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import type { ProxyDefinition } from './model.js';

export interface Machine {
  readonly cpu: string;
  readonly cpus: number;
  readonly memoryGb: number;
  readonly kernel: string;
  readonly node: string;
  readonly commit: string;
  readonly versions: Readonly<Record<string, string>>;
}

function commitOf(directory: string): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: directory,
      encoding: 'utf8',
      stdio: 'pipe',
    }).trim();
  } catch {
    return 'unknown'; // not a checkout
  }
}

export function describeMachine(directory: string, proxies: readonly ProxyDefinition[]): Machine {
  const versions = proxies
    .map((proxy) => [proxy.name, proxy.version()] as const)
    .filter(([, version]) => version !== '');
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cpus: cpus().length,
    memoryGb: Math.round(totalmem() / 1e9),
    kernel: release(),
    node: process.version,
    commit: commitOf(directory),
    versions: Object.fromEntries(versions),
  };
}
