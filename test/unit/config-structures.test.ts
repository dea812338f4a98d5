/** [[listeners]], [routers.*] and [[rules]], as they are taken. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ProxyConfig } from '../../src/application/proxy-config.js';
import { configOf, problemsOf } from '../support/loaded-config.js';

const SOME_FILE = fileURLToPath(new URL('../fixtures/match-nobody.mjs', import.meta.url));

function revisionOfSomeFile(): string {
  return createHash('sha256').update(readFileSync(SOME_FILE)).digest('hex').slice(0, 16);
}

function addressesOf({ listeners }: ProxyConfig): string[] {
  return listeners.map(({ protocol, address }) => `${protocol} ${address.address} ${address.port}`);
}

describe('listeners of the configuration file', () => {
  it('are added to those of the settings, with limits of their own', async (t) => {
    const config = await configOf(
      t,
      `[server]
       tcp_bind = ["127.0.0.1:80", "[::1]:80"]
       udp_bind = "127.0.0.1:80"
       [timeouts]
       idle_secs = 100
       [[listeners]]
       name = "dns"
       bind = "127.0.0.1:53"
       protocol = "udp"
       max_connections = 7
       idle_timeout_secs = 2.5
       max_sessions_per_client = 3
       [[listeners]]
       bind = "127.0.0.1:443"
       connect_timeout_ms = 1
       connect_total_timeout_ms = 2
       half_close_timeout_secs = 3
       max_lifetime_secs = 4
       hello_timeout_ms = 5
       proxy_protocol = false`,
    );
    assert.deepEqual(
      config.listeners.map(({ name }) => name),
      ['tcp 127.0.0.1:80', 'tcp [::1]:80', 'udp 127.0.0.1:80', 'dns', 'tcp 127.0.0.1:443'],
    );
    const [first, , , dns, last] = config.listeners.map(({ limits }) => limits);
    assert.deepEqual(first, {
      maxConnections: 0,
      connectTimeoutMs: 5000,
      connectTotalTimeoutMs: 15_000,
      idleTimeoutSecs: 100,
      halfCloseTimeoutSecs: 30,
      maxLifetimeSecs: 0,
      helloTimeoutMs: 5000,
      maxSessionsPerClient: 1024,
    });
    assert.deepEqual(dns, { ...first, maxConnections: 7, idleTimeoutSecs: 2.5, maxSessionsPerClient: 3 });
    assert.deepEqual(last, {
      ...first,
      connectTimeoutMs: 1,
      connectTotalTimeoutMs: 2,
      halfCloseTimeoutSecs: 3,
      maxLifetimeSecs: 4,
      helloTimeoutMs: 5,
    });
  });

  it('take the place of the default address, and not of one that was given', async (t) => {
    assert.deepEqual(addressesOf(await configOf(t, '[server]\nudp_bind = "0.0.0.0:53"')), ['udp 0.0.0.0 53']);
    const one = '[[listeners]]\nbind = "127.0.0.1:1"\n';
    assert.deepEqual(addressesOf(await configOf(t, one)), ['tcp 127.0.0.1 1']);
    const flags = { listen: '127.0.0.1:2' };
    assert.deepEqual(addressesOf(await configOf(t, one, { flags })), ['tcp 127.0.0.1 2', 'tcp 127.0.0.1 1']);
    const env = { EDGEPROXY_UDP_LISTEN_ADDR: '127.0.0.1:2' };
    assert.deepEqual(addressesOf(await configOf(t, one, { env })), ['udp 127.0.0.1 2', 'tcp 127.0.0.1 1']);
    assert.deepEqual(addressesOf(await configOf(t, '[server]\nudp_bind = []')), ['tcp 0.0.0.0 8080']);
    assert.deepEqual(await problemsOf(t, '[server]\ntcp_bind = []'), [
      'no address to listen on; expected server.tcp_bind, server.udp_bind or [[listeners]]',
    ]);
  });
});

describe('rules of the configuration file', () => {
  it('come in their order, without those that are not enabled, each with its matcher, router and backends', async (t) => {
    const config = await configOf(
      t,
      `[routers.spread]
       plugin = "round_robin"
       config = { affinity = true }

       [[rules]]
       name = "off"
       enabled = false
       app = "x"

       [[rules]]
       name = "web"
       protocol = "tcp"
       router = "spread"
       [[rules.backends]]
       id = "a"
       address = "[2001:DB8:0::1]:80"
       [[rules.backends]]
       id = "b"
       address = "unix:/run/b.sock"
       weight = 0
       enabled = false
       region = "SA"
       country = "br"
       soft_limit = 5
       hard_limit = 6
       name = "second"
       metadata = { rack = "7" }
       [rules.matcher]
       type = "port_range"
       start = 8000
       end = 8999

       [[rules]]
       name = "rest"
       app = "shop"`,
    );
    const backend = { app: '', isDraining: false };
    assert.deepEqual(config.rules, [
      {
        name: 'web',
        protocol: 'tcp',
        matcher: { type: 'port_range', start: 8000, end: 8999 },
        router: { name: 'spread', plugin: 'round_robin', options: {}, hasAffinity: true },
        target: {
          backends: [
            {
              ...backend,
              id: 'a',
              region: '',
              country: '',
              address: '2001:db8::1',
              port: 80,
              isHealthy: true,
              weight: 1,
              softLimit: 100,
              hardLimit: 0,
            },
            {
              ...backend,
              id: 'b',
              region: 'sa',
              country: 'BR',
              address: 'unix:/run/b.sock',
              port: 0,
              isHealthy: false,
              weight: 0,
              softLimit: 5,
              hardLimit: 6,
            },
          ],
        },
      },
      {
        name: 'rest',
        protocol: 'both',
        matcher: { type: 'any' },
        router: { name: 'geo', plugin: 'geo', options: {}, hasAffinity: true },
        target: { app: 'shop' },
      },
    ]);
  });

  it('match by port, name, network or a function', async (t) => {
    const matchers = [
      'type = "port"\nport = 80',
      'type = "sni"\npattern = "*.Example.com"\nnames = ["a.test.", "*"]\nalpn = "h2,http/1.1"',
      'type = "sni"\nalpn = ["h2"]',
      'type = "source_ip"\ncidr = "192.0.2.1"\ncidrs = ["2001:DB8::/32", "::ffff:10.0.0.0/104"]',
      'type = "destination_ip"\ncidr = "127.0.0.0/8"',
      `type = "custom"\nplugin = "${SOME_FILE}"\nconfig = { x = [1, { y = true }] }`,
    ];
    const text = matchers.map(
      (matcher, index) => `[[rules]]\nname = "${index}"\napp = "a"\n[rules.matcher]\n${matcher}\n`,
    );
    assert.deepEqual(
      (await configOf(t, text.join(''))).rules.map(({ matcher }) => matcher),
      [
        { type: 'port', port: 80 },
        { type: 'sni', names: ['*.example.com', 'a.test', '*'], alpn: ['h2', 'http/1.1'] },
        { type: 'sni', names: [], alpn: ['h2'] },
        { type: 'source_ip', cidrs: ['192.0.2.1/32', '2001:db8::/32', '10.0.0.0/8'] },
        { type: 'destination_ip', cidrs: ['127.0.0.0/8'] },
        { type: 'custom', file: SOME_FILE, revision: revisionOfSomeFile(), config: { x: [1, { y: true }] } },
      ],
    );
  });
});

describe('a large configuration file', () => {
  it('may have as many rules and networks as there is room for, and no more', async (t) => {
    const rules = (count: number): string =>
      Array.from({ length: count }, (_, index) => `[[rules]]\nname = "r${index}"\napp = "a"\n`).join('');
    assert.equal((await configOf(t, rules(1000))).rules.length, 1000);
    assert.deepEqual(await problemsOf(t, rules(1001)), [
      'a.toml:1: rules: found an array of tables (1001 of them); expected at most 1000',
    ]);
    const networks = (count: number): string =>
      Array.from({ length: count }, (_, index) => `"10.${index >>> 16}.${(index >>> 8) & 255}.${index & 255}"`).join(
        ',\n',
      );
    const matching = (name: string, count: number): string =>
      `[[rules]]\nname = "${name}"\napp = "a"\nmatcher = { type = "source_ip", cidrs = [${networks(count)}] }\n`;
    const [rule] = (await configOf(t, matching('a', 100_000))).rules;
    assert.ok(rule?.matcher.type === 'source_ip' && rule.matcher.cidrs.length === 100_000);
    assert.deepEqual(await problemsOf(t, matching('a', 99_999) + matching('b', 2)), [
      'a.toml:1: rules: found an array of tables (100001 of them); expected at most 100000 networks',
    ]);
  });
});
