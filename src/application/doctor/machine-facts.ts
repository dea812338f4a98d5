/** What `edgeproxy doctor` knows of the machine; null is what this process may not see. */
export interface MachineFacts {
  /** RLIMIT_NOFILE; Infinity where there is none. */
  readonly hardFileLimit: number | null;
  /** By name, numbers separated by blanks. */
  readonly sysctls: ReadonlyMap<string, string>;
  /** For instance 6.1.0-13-amd64. */
  readonly kernel: string | null;
  readonly clockSource: string | null;
  readonly allowedCpus: readonly number[] | null;
  /** CPUs that the control group may use at a time; null also where it is not limited. */
  readonly cpuQuota: number | null;
  /** How each CPU's frequency is chosen; empty where the machine leaves that to nobody. */
  readonly governors: readonly string[];
  readonly interfaces: readonly NetworkInterface[];
}

export interface NetworkInterface {
  readonly name: string;
  readonly mtu: number;
  readonly kind: 'wireguard' | 'hardware' | 'other';
  /** Those of its queues for incoming packets, by name, that the kernel spreads over CPUs in software (RPS), and the others. */
  readonly receiveQueues: readonly { readonly name: string; readonly isSpread: boolean }[];
  /** CPUs that its interrupts go to, all together. */
  readonly interruptCpus: readonly number[];
}

/** What the proxy is to do there. */
export interface Intentions {
  readonly workers: number;
  /** Per worker. */
  readonly maxConnections: number;
  readonly listenBacklog: number;
  /** Per worker. */
  readonly maxPipes: number;
  /** Of its descriptors, at which a worker takes no more clients; 0 = never. */
  readonly overloadDescriptorsPercent: number;
}
