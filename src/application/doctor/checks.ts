/** Every check of `edgeproxy doctor`, which is every line of the table in docs/tuning.md: a test compares. */
import { formatCpuList } from '../../domain/cpu-list.js';
import { UNKNOWN, type Check, type Verdict } from './check.js';
import type { NetworkInterface } from './machine-facts.js';
import { NUMBER_CHECKS } from './sysctl-checks.js';

/** What a worker has open besides connections and pipes. */
const OTHER_DESCRIPTORS = 200;
const MOST_PORTS = 65_535;
const FIRST_PORT = 1024;
/** Half of all that there can be. */
const FEW_PORTS = 32_000;
const LEAST_KERNEL = [5, 0] as const;
const SLOW_CLOCKS = ['hpet', 'acpi_pm', 'jiffies', 'refined-jiffies'];
/** What WireGuard adds to a packet, at most: IPv6, UDP and its own header. */
const WIREGUARD_BYTES = 80;

const descriptors: Check = {
  name: 'descriptors',
  source: 'RLIMIT_NOFILE (hard)',
  wanted:
    'two for each connection and each pipe of a worker, and 200, below the share of EDGEPROXY_OVERLOAD_DESCRIPTORS_PERCENT',
  why: 'with fewer the proxy lowers its limit of connections at the start',
  examine({ hardFileLimit }, { maxConnections, maxPipes, overloadDescriptorsPercent: percent }) {
    if (hardFileLimit === null) return UNKNOWN;
    const open = 2 * (maxConnections + maxPipes) + OTHER_DESCRIPTORS;
    // The start fits all of them below the share at which workers shed.
    const needed = percent === 0 ? open : Math.ceil(((open + 1) * 100) / percent);
    const found = String(hardFileLimit);
    if (hardFileLimit >= needed) return { state: 'ok', found };
    const command = `LimitNOFILE=${needed} in the unit, or ulimit -Hn ${needed} before the start`;
    return { state: 'mend', found, command };
  },
};

const localPorts: Check = {
  name: 'local-ports',
  source: 'net.ipv4.ip_local_port_range',
  wanted: '1024 65535',
  why: 'connections to one address and port of a backend at a time; beyond it clients are reset',
  examine({ sysctls }) {
    const name = 'net.ipv4.ip_local_port_range';
    const found = sysctls.get(name);
    if (found === undefined) return UNKNOWN;
    const [first = 0, last = 0] = found.split(/\s+/).map(Number);
    if (last - first >= FEW_PORTS) return { state: 'ok', found };
    const value = `${FIRST_PORT} ${MOST_PORTS}`;
    return { state: 'hint', found, command: `sysctl -w ${name}="${value}"`, sysctl: { name, value } };
  },
};

const congestionControl: Check = {
  name: 'congestion-control',
  source: 'net.ipv4.tcp_congestion_control',
  wanted: 'bbr where the kernel has it and clients are far away',
  why: 'it does not take every lost packet for a full line',
  examine({ sysctls }) {
    const name = 'net.ipv4.tcp_congestion_control';
    const found = sysctls.get(name);
    if (found === undefined) return UNKNOWN;
    const available = sysctls.get('net.ipv4.tcp_available_congestion_control')?.split(/\s+/) ?? [];
    if (found === 'bbr') return { state: 'ok', found };
    const command = available.includes('bbr') ? `sysctl -w ${name}=bbr` : `modprobe tcp_bbr && sysctl -w ${name}=bbr`;
    return { state: 'hint', found, command, sysctl: { name, value: 'bbr' } };
  },
};

const kernel: Check = {
  name: 'kernel',
  source: '/proc/sys/kernel/osrelease',
  wanted: '5.0 or newer',
  why: 'UDP datagrams are read and sent many at a time (UDP_GRO, UDP_SEGMENT)',
  examine({ kernel: found }) {
    const [, major, minor] = /^(\d+)\.(\d+)/.exec(found ?? '') ?? [];
    if (found === null || major === undefined) return UNKNOWN;
    const isEnough =
      Number(major) > LEAST_KERNEL[0] || (Number(major) === LEAST_KERNEL[0] && Number(minor) >= LEAST_KERNEL[1]);
    return isEnough ? { state: 'ok', found } : { state: 'hint', found, command: 'a newer kernel' };
  },
};

const clock: Check = {
  name: 'clock',
  source: '/sys/devices/system/clocksource',
  wanted: 'tsc, kvm-clock or another that needs no system call',
  why: 'the time is read for each packet that is relayed',
  examine({ clockSource: found }) {
    if (found === null) return UNKNOWN;
    if (!SLOW_CLOCKS.includes(found)) return { state: 'ok', found };
    return {
      state: 'mend',
      found,
      command: 'echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource',
    };
  },
};

const cpus: Check = {
  name: 'cpus',
  source: 'sched_getaffinity, cpu.max',
  wanted: 'no more workers than CPUs',
  why: 'a worker is one thread: two on one CPU wait for each other',
  examine({ allowedCpus, cpuQuota }, { workers }) {
    if (allowedCpus === null) return UNKNOWN;
    const most = Math.min(allowedCpus.length, cpuQuota ?? Infinity);
    const quota = cpuQuota === null ? '' : `, ${cpuQuota} at a time`;
    const found = `${workers} workers, CPUs ${formatCpuList(allowedCpus)}${quota}`;
    const least = Math.max(1, Math.floor(most));
    return workers <= least ? { state: 'ok', found } : { state: 'hint', found, command: `EDGEPROXY_WORKERS=${least}` };
  },
};

const governor: Check = {
  name: 'cpu-frequency',
  source: '/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor',
  wanted: 'performance, or left to the machine',
  why: 'a CPU that sleeps between packets wakes up slowly',
  examine({ governors }) {
    const found = [...new Set(governors)].join(', ') || 'left to the machine';
    const isFine = governors.every((each) => each === 'performance');
    return isFine ? { state: 'ok', found } : { state: 'hint', found, command: 'cpupower frequency-set -g performance' };
  },
};

const interrupts: Check = {
  name: 'interrupts',
  source: '/proc/irq/*/smp_affinity_list, /sys/class/net/*/queues',
  wanted: 'those of a network card on more than one CPU, or RPS',
  why: 'one CPU that takes in every packet is full before the others have anything to do',
  examine({ interfaces, allowedCpus }) {
    const cards = interfaces.filter(({ kind }) => kind === 'hardware');
    if (cards.length === 0) return { state: 'unknown', found: 'no network card to be seen from here' };
    const narrow = cards.filter(isNarrow);
    const count = allowedCpus?.length ?? 0;
    const names = (of: readonly NetworkInterface[]): string => of.map(({ name }) => name).join(', ');
    if (narrow.length === 0 || count < 2) return { state: 'ok', found: `${names(cards)}: as wanted, or one CPU` };
    const mask = allowedCpus === null || allowedCpus.some((cpu) => cpu > 31) ? 'ffffffff' : maskOf(allowedCpus);
    const queues = narrow.flatMap((card) =>
      card.receiveQueues.map((queue) => `/sys/class/net/${card.name}/queues/${queue.name}/rps_cpus`),
    );
    return { state: 'hint', found: `${names(narrow)}: one CPU`, command: `echo ${mask} | tee ${queues.join(' ')}` };
  },
};

function isNarrow({ interruptCpus, receiveQueues }: NetworkInterface): boolean {
  return new Set(interruptCpus).size <= 1 && !receiveQueues.some(({ isSpread }) => isSpread);
}

/** As rps_cpus takes it. */
function maskOf(allowed: readonly number[]): string {
  return allowed.reduce((mask, cpu) => mask + 2 ** cpu, 0).toString(16);
}

const wireguardMtu: Check = {
  name: 'wireguard-mtu',
  source: '/sys/class/net/*/mtu',
  wanted: '80 less than that of the network below',
  why: 'larger packets are cut in two or lost: connections open and then stand still',
  examine({ interfaces }) {
    const tunnels = interfaces.filter(({ kind }) => kind === 'wireguard');
    if (tunnels.length === 0) return { state: 'ok', found: 'no WireGuard interface' };
    const below = Math.min(...interfaces.filter(({ kind }) => kind === 'hardware').map(({ mtu }) => mtu), Infinity);
    if (below === Infinity) return UNKNOWN;
    return tunnelVerdict(tunnels, below - WIREGUARD_BYTES);
  },
};

function tunnelVerdict(tunnels: readonly NetworkInterface[], most: number): Verdict {
  const found = tunnels.map(({ name, mtu }) => `${name} ${mtu}`).join(', ');
  const wrong = tunnels.filter(({ mtu }) => mtu > most);
  if (wrong.length === 0) return { state: 'ok', found };
  return { state: 'mend', found, command: wrong.map(({ name }) => `ip link set ${name} mtu ${most}`).join(' && ') };
}

export const CHECKS: readonly Check[] = [
  descriptors,
  ...NUMBER_CHECKS,
  localPorts,
  congestionControl,
  kernel,
  clock,
  cpus,
  governor,
  interrupts,
  wireguardMtu,
];

/** Names of all sysctls that a check looks at. */
export const SYSCTLS: readonly string[] = [
  ...CHECKS.map(({ source }) => source).filter((source) => /^(net|fs)\.[\w.-]+$/.test(source)),
  'net.ipv4.tcp_available_congestion_control',
];
