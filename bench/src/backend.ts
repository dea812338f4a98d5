/** A backend process with one listener. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { BackendKind } from './model.js';

export interface Backend {
  readonly pid: number;
  readonly port: number;
  stop(): void;
}

const live = new Set<Backend>();

export async function startBackend(program: string, kind: BackendKind, listensOn: string): Promise<Backend> {
  const child = spawn(program, [listensOn, kind], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const [line] = (await Promise.race([once(lines, 'line'), once(child, 'exit')])) as [unknown];
  if (typeof line !== 'string' || child.pid === undefined) throw new Error(`the ${kind} backend did not start`);
  const ports = JSON.parse(line) as Partial<Record<BackendKind, number>>;
  const backend = {
    pid: child.pid,
    port: ports[kind] ?? 0,
    stop: (): void => {
      live.delete(backend);
      child.kill('SIGKILL');
    },
  };
  live.add(backend);
  return backend;
}

export function stopLiveBackends(): void {
  for (const backend of live) backend.stop();
}
