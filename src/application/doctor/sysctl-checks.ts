/** Checks of numbers that the kernel lets one set. */
import { UNKNOWN, type Check, type FindingState } from './check.js';
import type { Intentions } from './machine-facts.js';

interface SysctlCheck extends Omit<Check, 'source' | 'examine'> {
  readonly sysctl: string;
  /** Which of its numbers, from 0; the others stay. */
  readonly field?: number;
  readonly least: (intentions: Intentions) => number;
  /** What less than that is. */
  readonly lacking?: FindingState;
  /** 0 is no limit. */
  readonly isZeroUnlimited?: true;
  /** A machine without it has no such limit. */
  readonly absent?: string;
}

const MIB = 1 << 20;
/** What a pipe for splicing is asked to hold, in pages of 4 KiB. */
const PAGES_PER_PIPE = 256;
/** A client's connection and the one to its backend. */
const FLOWS = 2;

const SYSCTL_CHECKS: readonly SysctlCheck[] = [
  {
    name: 'somaxconn',
    sysctl: 'net.core.somaxconn',
    least: ({ listenBacklog }) => listenBacklog,
    wanted: 'at least `EDGEPROXY_LISTEN_BACKLOG`',
    why: 'a burst of clients beyond it waits a second for the SYN to be sent again',
  },
  {
    name: 'syn-backlog',
    sysctl: 'net.ipv4.tcp_max_syn_backlog',
    least: () => 1024,
    lacking: 'hint',
    wanted: 'at least 1024',
    why: 'half-open connections beyond it get SYN cookies, which lose window scaling where timestamps are off',
  },
  {
    name: 'file-max',
    sysctl: 'fs.file-max',
    least: ({ workers, maxConnections }) => FLOWS * workers * maxConnections,
    wanted: 'two for each connection of all workers',
    why: 'open files of all processes together; beyond it accepting fails with ENFILE',
  },
  {
    name: 'pipe-size',
    sysctl: 'fs.pipe-max-size',
    least: () => MIB,
    wanted: 'at least 1048576',
    why: 'splicing through smaller pipes takes more system calls per megabyte',
  },
  {
    name: 'pipe-pages',
    sysctl: 'fs.pipe-user-pages-soft',
    least: ({ workers, maxPipes }) => workers * maxPipes * PAGES_PER_PIPE,
    isZeroUnlimited: true,
    lacking: 'hint',
    wanted: '256 pages for each pipe of all workers, or 0',
    why: 'beyond it new pipes hold two pages, and transfers are copied instead; not for root',
  },
  {
    name: 'receive-buffer',
    sysctl: 'net.ipv4.tcp_rmem',
    field: 2,
    least: () => 6 * MIB,
    wanted: 'its third number at least 6291456',
    why: 'it limits one connection to its size per round trip',
  },
  {
    name: 'send-buffer',
    sysctl: 'net.ipv4.tcp_wmem',
    field: 2,
    least: () => 4 * MIB,
    wanted: 'its third number at least 4194304',
    why: 'as the receive buffer, for the other direction',
  },
  {
    name: 'udp-receive-buffer',
    sysctl: 'net.core.rmem_max',
    least: () => 4 * MIB,
    lacking: 'hint',
    wanted: 'at least 4194304, for UDP',
    why: 'each UDP socket asks for 4 MiB; what a full one does not take is lost',
  },
  {
    name: 'udp-send-buffer',
    sysctl: 'net.core.wmem_max',
    least: () => 4 * MIB,
    lacking: 'hint',
    wanted: 'at least 4194304, for UDP',
    why: 'as above, for answers',
  },
  {
    name: 'conntrack',
    sysctl: 'net.netfilter.nf_conntrack_max',
    least: ({ workers, maxConnections }) => FLOWS * workers * maxConnections,
    absent: 'connections are not tracked',
    wanted: 'two for each connection of all workers, where connections are tracked',
    why: 'a full table drops packets of new connections; not tracking the ports of the proxy is better still',
  },
];

export const NUMBER_CHECKS: readonly Check[] = SYSCTL_CHECKS.map((check) => ({
  name: check.name,
  source: check.sysctl,
  wanted: check.wanted,
  why: check.why,
  examine({ sysctls }, intentions) {
    const { sysctl, field = 0, lacking = 'mend', absent } = check;
    const found = sysctls.get(sysctl);
    if (found === undefined) return absent === undefined ? UNKNOWN : { state: 'ok', found: absent };
    const fields = found.split(/\s+/);
    const number = Number(fields[field]);
    const least = check.least(intentions);
    if (Number.isNaN(number)) return UNKNOWN;
    if (number >= least || (number === 0 && check.isZeroUnlimited === true)) return { state: 'ok', found };
    const value = fields.with(field, String(least)).join(' ');
    return { state: lacking, found, command: `sysctl -w ${sysctl}="${value}"`, sysctl: { name: sysctl, value } };
  },
}));
