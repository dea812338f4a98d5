/** Reads what `edgeproxy doctor` looks at from /proc and /sys. What cannot be read is unknown: no error, no rights needed. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { MachineFacts, NetworkInterface } from '../../../application/doctor/machine-facts.js';
import { parseCpuList } from '../../../domain/cpu-list.js';

/** `root` is / but for tests. */
export class MachineReader {
  readonly #root: string;

  constructor(root = '/') {
    this.#root = root;
  }

  /** `sysctls` are names as net.core.somaxconn. */
  read(sysctls: readonly string[]): MachineFacts {
    const status = this.#text('proc/self/status') ?? '';
    return {
      hardFileLimit: this.#hardFileLimit(),
      sysctls: new Map(sysctls.flatMap((name) => this.#sysctl(name))),
      kernel: this.#text('proc/sys/kernel/osrelease'),
      clockSource: this.#text('sys/devices/system/clocksource/clocksource0/current_clocksource'),
      allowedCpus: parseCpuList(/^Cpus_allowed_list:\s+(\S+)$/m.exec(status)?.[1] ?? ''),
      cpuQuota: this.#cpuQuota(),
      governors: this.#governors(),
      interfaces: this.#names('sys/class/net').flatMap((name) => this.#interface(name)),
    };
  }

  #hardFileLimit(): number | null {
    const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(this.#text('proc/self/limits') ?? '')?.[1];
    if (hard === undefined) return null;
    return hard === 'unlimited' ? Infinity : Number(hard);
  }

  #sysctl(name: string): (readonly [string, string])[] {
    const text = this.#text(`proc/sys/${name.replaceAll('.', '/')}`);
    return text === null ? [] : [[name, text.replaceAll(/\s+/g, ' ')]];
  }

  /** Of control groups version 2; the innermost group that this process sees. */
  #cpuQuota(): number | null {
    const group = /^0::(.*)$/m.exec(this.#text('proc/self/cgroup') ?? '')?.[1] ?? '/';
    const text = this.#text(`sys/fs/cgroup${group}/cpu.max`) ?? this.#text('sys/fs/cgroup/cpu.max');
    const [, quota, period] = /^(\d+) (\d+)$/.exec(text ?? '') ?? [];
    return quota === undefined ? null : Number(quota) / Number(period);
  }

  #governors(): string[] {
    const folder = 'sys/devices/system/cpu';
    const cpus = this.#names(folder).filter((name) => /^cpu\d+$/.test(name));
    return cpus.flatMap((cpu) => this.#text(`${folder}/${cpu}/cpufreq/scaling_governor`) ?? []);
  }

  #interface(name: string): NetworkInterface[] {
    const folder = `sys/class/net/${name}`;
    const mtu = Number(this.#text(`${folder}/mtu`) ?? NaN);
    if (Number.isNaN(mtu)) return [];
    const isTunnel = /^DEVTYPE=wireguard$/m.test(this.#text(`${folder}/uevent`) ?? '');
    const isHardware = existsSync(join(this.#root, folder, 'device'));
    const queues = this.#names(`${folder}/queues`).filter((queue) => queue.startsWith('rx-'));
    return [
      {
        name,
        mtu,
        kind: isTunnel ? 'wireguard' : isHardware ? 'hardware' : 'other',
        receiveQueues: queues.map((queue) => ({ name: queue, isSpread: this.#isSpread(`${folder}/queues/${queue}`) })),
        interruptCpus: this.#interruptCpus(folder),
      },
    ];
  }

  /** A mask of CPUs, in groups of eight hexadecimal digits. */
  #isSpread(queue: string): boolean {
    return /[1-9a-f]/.test(this.#text(`${queue}/rps_cpus`) ?? '');
  }

  /** A virtual card (virtio) has its interrupts one folder further up. */
  #interruptCpus(folder: string): number[] {
    const folders = [`${folder}/device/msi_irqs`, `${folder}/device/../msi_irqs`];
    const numbers = folders.map((each) => this.#names(each)).find((names) => names.length > 0) ?? [];
    return numbers.flatMap((irq) => parseCpuList(this.#text(`proc/irq/${irq}/effective_affinity_list`) ?? '') ?? []);
  }

  #names(folder: string): string[] {
    try {
      return readdirSync(join(this.#root, folder)).sort();
    } catch {
      return [];
    }
  }

  #text(path: string): string | null {
    try {
      return readFileSync(join(this.#root, path), 'utf8').trim();
    } catch {
      return null;
    }
  }
}
