/** `edgeproxy doctor` on this machine, and the reading of one that is made of files. */
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { MachineReader } from '../../src/adapters/outbound/machine/read-machine.js';
import type { Finding } from '../../src/application/doctor/check.js';
import { CHECKS, SYSCTLS } from '../../src/application/doctor/checks.js';
import { edgeproxy } from '../support/edgeproxy-command.js';
import { scratchDirectory } from '../support/scratch-directory.js';

const TIME_LIMIT = { timeout: 60_000 };
const FILES: Readonly<Record<string, string>> = {
  'proc/self/limits':
    'Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files\n',
  'proc/self/status': 'Name:\tnode\nCpus_allowed_list:\t0-2,5\n',
  'proc/self/cgroup': '0::/service\n',
  'sys/fs/cgroup/service/cpu.max': '150000 100000\n',
  'proc/sys/net/ipv4/tcp_rmem': '4096\t131072\t6291456\n',
  'proc/sys/kernel/osrelease': '6.1.0\n',
  'sys/devices/system/cpu/cpu0/cpufreq/scaling_governor': 'powersave\n',
  'sys/class/net/wg0/mtu': '1420\n',
  'sys/class/net/wg0/uevent': 'DEVTYPE=wireguard\nINTERFACE=wg0\n',
  'sys/class/net/eth0/mtu': '1500\n',
  'sys/class/net/eth0/queues/rx-0/rps_cpus': '00000000,00000000\n',
  'sys/class/net/eth0/queues/rx-1/rps_cpus': '00000000,00000003\n',
  'sys/class/net/eth0/queues/tx-0/xps_cpus': '0\n',
  'sys/devices/card/msi_irqs/24': '',
  'sys/devices/card/msi_irqs/25': '',
  'proc/irq/24/effective_affinity_list': '0\n',
  'proc/irq/25/effective_affinity_list': '2\n',
};

describe('the reader', () => {
  it('finds everything where the kernel has it', async (t) => {
    const root = await scratchDirectory(t);
    for (const [path, text] of Object.entries(FILES)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    symlinkSync(join(root, 'sys/devices/card'), join(root, 'sys/class/net/eth0/device'));
    const facts = new MachineReader(root).read(['net.ipv4.tcp_rmem', 'net.core.somaxconn']);
    assert.deepEqual(facts, {
      hardFileLimit: 524_288,
      sysctls: new Map([['net.ipv4.tcp_rmem', '4096 131072 6291456']]),
      kernel: '6.1.0',
      clockSource: null,
      allowedCpus: [0, 1, 2, 5],
      cpuQuota: 1.5,
      governors: ['powersave'],
      interfaces: [
        {
          name: 'eth0',
          mtu: 1500,
          kind: 'hardware',
          receiveQueues: [
            { name: 'rx-0', isSpread: false },
            { name: 'rx-1', isSpread: true },
          ],
          interruptCpus: [0, 2],
        },
        { name: 'wg0', mtu: 1420, kind: 'wireguard', receiveQueues: [], interruptCpus: [] },
      ],
    });
  });

  it('knows nothing of an empty one, without an error', async (t) => {
    const { hardFileLimit, sysctls, interfaces } = new MachineReader(await scratchDirectory(t)).read(SYSCTLS);
    assert.deepEqual([hardFileLimit, sysctls.size, interfaces.length], [null, 0, 0]);
  });
});

describe('edgeproxy doctor', TIME_LIMIT, () => {
  it('examines this machine', () => {
    const { status, stdout } = edgeproxy(['doctor', '--json']);
    const findings = JSON.parse(stdout) as Finding[];
    assert.deepEqual(
      findings.map(({ check }) => check),
      CHECKS.map(({ name }) => name),
    );
    assert.equal(status, findings.some(({ state }) => state === 'mend') ? 1 : 0);
    const found = (name: string): string => findings.find(({ check }) => check === name)?.found ?? '';
    assert.match(found('kernel'), /^\d+\.\d+/);
    assert.ok(found('cpus').startsWith(`${availableParallelism()} workers`));
    assert.match(found('descriptors'), /^(\d+|Infinity)$/);
  });

  it('counts what the configuration needs, and prints it for sysctl', () => {
    const env = { EDGEPROXY_LISTEN_BACKLOG: '65535', EDGEPROXY_MAX_CONNECTIONS: '10000000' };
    const people = edgeproxy(['doctor'], env);
    assert.equal(people.status, 1);
    assert.match(people.stdout, /^mend +descriptors /m);
    const file = edgeproxy(['doctor', '--apply'], env);
    assert.equal(file.status, 0);
    for (const line of file.stdout.trimEnd().split('\n')) assert.match(line, /^#|^[\w.-]+ = [\w ]+$/);
  });

  it('refuses a wrong configuration and flags that exclude each other', () => {
    const wrong = edgeproxy(['doctor'], { EDGEPROXY_WORKERS: 'many' });
    assert.deepEqual([wrong.status, wrong.stdout], [2, '']);
    assert.match(wrong.stderr, /^error: EDGEPROXY_WORKERS: /);
    assert.equal(edgeproxy(['doctor', '--json', '--apply']).status, 2);
    assert.equal(edgeproxy(['doctor', '--frobnicate']).status, 2);
  });
});
