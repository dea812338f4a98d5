/** Which CPU each worker runs on. */
import type { NativeAddon } from '../adapters/outbound/native/native-addon.js';
import type { Logger } from '../application/ports/logger.js';
import type { Pin, ProxyConfig } from '../application/proxy-config.js';
import { formatCpuList } from '../domain/cpu-list.js';
import { EdgeproxyError } from '../domain/edgeproxy-error.js';

export interface WorkerCpusParts {
  readonly native: Pick<NativeAddon, 'allowedCpus'>;
  readonly logger: Logger;
}

export class WorkerCpus {
  readonly #parts: WorkerCpusParts;
  readonly #cpus: readonly number[];

  /** Throws EP_PIN where one of the CPUs is not there, or the cpuset (taskset, a container) does not allow it. */
  constructor({ pin }: Pick<ProxyConfig, 'pin'>, parts: WorkerCpusParts) {
    this.#parts = parts;
    this.#cpus = cpusOf(pin, parts.native);
  }

  /** One for each worker, again from the first where there are more workers than CPUs; null = wherever the kernel likes. */
  of(workerIndex: number): number | null {
    const cpu = this.#cpus[workerIndex % this.#cpus.length];
    if (cpu === undefined) return null;
    // A cpuset may have shrunk since the start: a worker that runs elsewhere is better than none.
    if (this.#parts.native.allowedCpus().includes(cpu)) return cpu;
    this.#parts.logger.warn(
      { worker: workerIndex, cpu },
      'the worker cannot be pinned: its CPU is not allowed any more',
    );
    return null;
  }
}

function cpusOf(pin: Pin, native: WorkerCpusParts['native']): readonly number[] {
  if (pin === 'off') return [];
  const allowed = native.allowedCpus();
  if (pin === 'auto') return allowed;
  const wrong = pin.filter((cpu) => !allowed.includes(cpu));
  if (wrong.length === 0) return pin;
  const one = wrong.length === 1 ? 'CPU' : 'CPUs';
  const message = `Workers cannot be pinned to ${one} ${formatCpuList(wrong)}: this process may run on ${formatCpuList(allowed)} (EDGEPROXY_PIN).`;
  throw new EdgeproxyError('EP_PIN', message, { source: 'config', context: { wrong, allowed } });
}
