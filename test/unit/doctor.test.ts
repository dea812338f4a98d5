/** What `edgeproxy doctor` concludes from made-up machines, and that docs/tuning.md is about the same checks. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { CHECKS, SYSCTLS } from '../../src/application/doctor/checks.js';
import { examineAll, type Finding } from '../../src/application/doctor/check.js';
import type { Intentions, MachineFacts, NetworkInterface } from '../../src/application/doctor/machine-facts.js';
import { formatFindings, formatJson, formatSysctls } from '../../src/application/doctor/report.js';

const INTENTIONS: Intentions = {
  workers: 2,
  maxConnections: 10_000,
  listenBacklog: 4096,
  maxPipes: 512,
  overloadDescriptorsPercent: 95,
};
const CARD: NetworkInterface = {
  name: 'eth0',
  mtu: 1500,
  kind: 'hardware',
  receiveQueues: [{ name: 'rx-0', isSpread: false }],
  interruptCpus: [0, 1],
};
const GOOD_SYSCTLS: Readonly<Record<string, string>> = {
  'net.core.somaxconn': '4096',
  'net.ipv4.tcp_max_syn_backlog': '4096',
  'fs.file-max': '9223372036854775807',
  'fs.pipe-max-size': '1048576',
  'fs.pipe-user-pages-soft': '262144',
  'net.ipv4.tcp_rmem': '4096 131072 6291456',
  'net.ipv4.tcp_wmem': '4096 16384 4194304',
  'net.core.rmem_max': '4194304',
  'net.core.wmem_max': '4194304',
  'net.netfilter.nf_conntrack_max': '262144',
  'net.ipv4.ip_local_port_range': '1024 65535',
  'net.ipv4.tcp_congestion_control': 'bbr',
  'net.ipv4.tcp_available_congestion_control': 'reno cubic bbr',
};
const GOOD: MachineFacts = {
  hardFileLimit: 1_048_576,
  sysctls: new Map(Object.entries(GOOD_SYSCTLS)),
  kernel: '6.1.0-13-amd64',
  clockSource: 'tsc',
  allowedCpus: [0, 1],
  cpuQuota: null,
  governors: ['performance', 'performance'],
  interfaces: [CARD],
};
const BLIND: MachineFacts = {
  hardFileLimit: null,
  sysctls: new Map(),
  kernel: null,
  clockSource: null,
  allowedCpus: null,
  cpuQuota: null,
  governors: [],
  interfaces: [],
};

function findings(changes: Partial<MachineFacts>, intentions: Partial<Intentions> = {}): readonly Finding[] {
  return examineAll(CHECKS, { ...GOOD, ...changes }, { ...INTENTIONS, ...intentions });
}

function finding(check: string, changes: Partial<MachineFacts>, intentions: Partial<Intentions> = {}): Finding {
  const found = findings(changes, intentions).find((each) => each.check === check);
  assert.ok(found, check);
  return found;
}

function withSysctl(name: string, value: string): Partial<MachineFacts> {
  return { sysctls: new Map([...GOOD.sysctls, [name, value]]) };
}

describe('the checks', () => {
  it('find nothing on a machine that is as wanted', () => {
    for (const { check, state } of findings({})) assert.equal(state, 'ok', check);
  });

  it('know nothing where nothing can be seen, and say so', () => {
    const states = examineAll(CHECKS, BLIND, INTENTIONS).map(({ check, state }) => [check, state]);
    // Not tracked, left to the machine, no tunnel: where these cannot be seen they are not there.
    const absent = ['conntrack', 'cpu-frequency', 'wireguard-mtu'];
    assert.deepEqual(
      states,
      CHECKS.map(({ name }) => [name, absent.includes(name) ? 'ok' : 'unknown']),
    );
  });

  it('look at every sysctl that they name', () => {
    const named = CHECKS.map(({ source }) => source).filter((source) => /^[a-z]+\.\S+$/.test(source));
    assert.ok(named.length >= 12);
    for (const name of named) assert.ok(SYSCTLS.includes(name), name);
  });

  const lows: readonly [check: string, sysctl: string, low: string, state: string, value: string][] = [
    ['somaxconn', 'net.core.somaxconn', '128', 'mend', '4096'],
    ['syn-backlog', 'net.ipv4.tcp_max_syn_backlog', '128', 'hint', '1024'],
    ['file-max', 'fs.file-max', '10000', 'mend', '40000'],
    ['pipe-size', 'fs.pipe-max-size', '65536', 'mend', '1048576'],
    ['pipe-pages', 'fs.pipe-user-pages-soft', '16384', 'hint', '262144'],
    ['receive-buffer', 'net.ipv4.tcp_rmem', '4096 131072 262144', 'mend', '4096 131072 6291456'],
    ['send-buffer', 'net.ipv4.tcp_wmem', '4096 16384 65536', 'mend', '4096 16384 4194304'],
    ['udp-receive-buffer', 'net.core.rmem_max', '212992', 'hint', '4194304'],
    ['udp-send-buffer', 'net.core.wmem_max', '212992', 'hint', '4194304'],
    ['conntrack', 'net.netfilter.nf_conntrack_max', '8192', 'mend', '40000'],
    ['local-ports', 'net.ipv4.ip_local_port_range', '32768 60999', 'hint', '1024 65535'],
    ['congestion-control', 'net.ipv4.tcp_congestion_control', 'cubic', 'hint', 'bbr'],
  ];
  for (const [check, name, low, state, value] of lows) {
    it(`${check}: ${low} is too little`, () => {
      const { command, ...rest } = finding(check, withSysctl(name, low));
      assert.deepEqual([rest.state, rest.found, rest.sysctl], [state, low, { name, value }]);
      assert.ok(command?.includes(name) && command.includes(value));
    });
  }

  it('ask for what the configuration needs', () => {
    assert.equal(finding('somaxconn', {}, { listenBacklog: 8192 }).state, 'mend');
    assert.equal(finding('descriptors', {}, { maxConnections: 600_000 }).state, 'mend');
    assert.equal(finding('descriptors', { hardFileLimit: Infinity }, { maxConnections: 600_000 }).state, 'ok');
    assert.equal(finding('pipe-pages', withSysctl('fs.pipe-user-pages-soft', '0')).state, 'ok');
    assert.equal(finding('cpus', {}, { workers: 3 }).state, 'hint');
    assert.match(finding('cpus', { cpuQuota: 1.5 }).command ?? '', /WORKERS=1$/);
    assert.equal(finding('cpus', { cpuQuota: 0.5 }, { workers: 1 }).state, 'ok');
  });

  it('know old kernels, slow clocks and CPUs that sleep', () => {
    assert.equal(finding('kernel', { kernel: '4.19.0' }).state, 'hint');
    assert.equal(finding('kernel', { kernel: '5.0.1' }).state, 'ok');
    assert.equal(finding('clock', { clockSource: 'hpet' }).state, 'mend');
    assert.equal(finding('cpu-frequency', { governors: ['powersave'] }).state, 'hint');
  });

  it('say how to spread the packets of a card that knows one CPU alone', () => {
    const narrow = { ...CARD, interruptCpus: [0] };
    const { state, command } = finding('interrupts', { interfaces: [narrow] });
    assert.deepEqual([state, command], ['hint', 'echo 3 | tee /sys/class/net/eth0/queues/rx-0/rps_cpus']);
    const spread = { ...narrow, receiveQueues: [{ name: 'rx-0', isSpread: true }] };
    assert.equal(finding('interrupts', { interfaces: [spread] }).state, 'ok');
    assert.equal(finding('interrupts', { interfaces: [narrow], allowedCpus: [0] }).state, 'ok');
  });

  it('compare a tunnel with the network below it', () => {
    const tunnel: NetworkInterface = { ...CARD, name: 'wg0', kind: 'wireguard', mtu: 1420 };
    assert.equal(finding('wireguard-mtu', { interfaces: [CARD, tunnel] }).state, 'ok');
    const { state, command } = finding('wireguard-mtu', { interfaces: [CARD, { ...tunnel, mtu: 1500 }] });
    assert.deepEqual([state, command], ['mend', 'ip link set wg0 mtu 1420']);
    assert.equal(finding('wireguard-mtu', { interfaces: [tunnel] }).state, 'unknown');
  });
});

describe('the report', () => {
  const some = findings(withSysctl('net.core.somaxconn', '128'));

  it('has for people what, why and the command', () => {
    const text = formatFindings(some);
    assert.match(
      text,
      /^mend {5}somaxconn +128\n +wanted: .*\n +why: .*\n +do: +sysctl -w net\.core\.somaxconn="4096"$/m,
    );
    assert.match(text, /^1 to mend, 0 hints, 0 unknown, \d+ fine$/m);
    assert.ok(
      (JSON.parse(formatJson(some)) as Finding[]).some(({ check, state }) => check === 'somaxconn' && state === 'mend'),
    );
  });

  it('has for sysctl what is not as wanted', () => {
    assert.match(formatSysctls(some), /^# somaxconn \(mend\), was: 128\nnet\.core\.somaxconn = 4096\n$/m);
    assert.match(formatSysctls(findings({})), /# Nothing\.\n$/);
  });
});

describe('docs/tuning.md', () => {
  it('has every check with what it looks at, what is wanted and why', () => {
    const text = readFileSync(new URL('../../docs/tuning.md', import.meta.url), 'utf8');
    const rows = text
      .split('\n')
      .filter((line) => line.startsWith('| ['))
      .map((line) =>
        line
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      );
    const expected = CHECKS.map(({ name, source, wanted, why }) => [name, `\`${source}\``, wanted, why]);
    assert.deepEqual(
      rows.map(([check = '', ...rest]) => [/^\[([^\]]+)\]\(#[a-z-]+\)$/.exec(check)?.[1], ...rest]),
      expected,
    );
  });
});
