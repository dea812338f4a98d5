/** [[listeners]], [routers.*] and [[rules]]. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readConfigFile } from '../../src/adapters/inbound/config/config-file.js';
import { loadConfig } from '../../src/adapters/inbound/config/load-config.js';
import type { ConfigInput, ConfigResult } from '../../src/adapters/inbound/config/load-config.js';
import type { ProxyConfig } from '../../src/application/proxy-config.js';
import { ROUTER_PLUGINS } from '../../src/domain/routing/router-plugins.js';
import { scratchDirectory } from '../support/scratch-directory.js';

const SOME_FILE = fileURLToPath(new URL('../fixtures/match-nobody.mjs', import.meta.url));
const PLUGIN_NAMES = ROUTER_PLUGINS.map(({ name }) => name);
const BASE: ConfigInput = { env: {}, flags: {}, isDemo: false, host: { cpuCount: 3, isTerminal: false } };

function revisionOfSomeFile(): string {
  return createHash('sha256').update(readFileSync(SOME_FILE)).digest('hex').slice(0, 16);
}

async function load(t: TestContext, text: string, input: Partial<ConfigInput> = {}): Promise<ConfigResult> {
  const path = join(await scratchDirectory(t), 'a.toml');
  writeFileSync(path, text);
  return loadConfig({ ...BASE, ...input, file: await readConfigFile(path) });
}

async function configOf(t: TestContext, text: string, input: Partial<ConfigInput> = {}): Promise<ProxyConfig> {
  const result = await load(t, text, input);
  assert.ok(result.isValid, result.isValid ? '' : result.problems.join('\n'));
  return result.config;
}

/** Without the folder of the file. */
async function problemsOf(t: TestContext, text: string, input: Partial<ConfigInput> = {}): Promise<string[]> {
  const result = await load(t, text, input);
  assert.ok(!result.isValid, 'the file was accepted');
  return result.problems.map((problem) => problem.replaceAll(/\/\S*\/a\.toml/g, 'a.toml'));
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

describe('what is wrong with listeners, routers and rules', () => {
  it('is a country of a backend that there is not, as in access.allow_countries', async (t) => {
    const rule = (country: string): string => `[[rules]]\nname = "a"\n[[rules.backends]]
id = "b"\naddress = "192.0.2.1:80"\ncountry = "${country}"\n`;
    for (const country of ['ZZ', 'UK', 'BRA', '']) {
      assert.deepEqual(await problemsOf(t, rule(country)), [
        `a.toml:6: rules[0].backends[0].country: found "${country}"; expected a country code of ISO 3166-1 such as BR`,
      ]);
    }
    await configOf(t, rule('gb'));
  });

  it('is said all at once, with file, line, key, what was found and what is expected', async (t) => {
    const text = `[server]
udp_bind = "127.0.0.1:53"
[[listeners]]
name = "a"
bind = "127.0.0.1:80"
protocol = "tls"
tls = { cert = "x" }
proxy_protocol = "v2"
nam = "x"
[[listeners]]
bind = "127.0.0.1:80x"
idle_timeout_secs = -1
[[listeners]]
name = "b"
protocol = "udp"
bind = "0.0.0.0:53"
idle_timeout_secs = 0
[[listeners]]
name = "b"
bind = "127.0.0.1:53"
[routers.a]
plugin = "round_robbin"
[routers.b]
plugin = "geo"
config = { affinty = 1, affinity = 7 }
[[rules]]
name = "x/y"
router = "c"
app = "x"
[[rules.backends]]
id = "a"
address = "nowhere:80"
[[rules.backends]]
id = "a"
adress = "192.0.2.1:80"
[rules.matcher]
type = "prot"
[[rules]]
name = "x/y"
router = "a"
app = "x"
backends = []
matcher = { type = "source_ip", cidrs = [
  "10.0.0.0/8",
  "10.0.0.1/8",
] }
[[rules]]
name = "w"
backends = [{ id = "u", address = "unix:/run/x" }, { id = "v", address = "0.0.0.0:80" }]
[[rules]]
matcher = { type = "custom", file = "x.js", config = { at = [2020-01-01] } }
name = "z"
router = "round_robn"
[[rules]]
name = "q"
app = "a"
matcher = { type = "port_range", start = 2, end = 1 }
[[rules]]
name = "u"
[[rules.backends]]
id = "u"
address = "unix:/run/x"
[[rule]]
`;
    const cidrs = 'an address or a network such as 192.0.2.0/24 or 2001:db8::/32';
    const address = 'host:port, [v6]:port (hosts as IP addresses, ports from 1 to 65535) or unix:/absolute/path';
    const name = '1 to 100 printable characters, without surrounding blanks or slashes';
    const plugins = PLUGIN_NAMES.join(', ');
    assert.deepEqual(
      await problemsOf(t, text),
      [
        'a.toml:63: [rule] is not a known section; did you mean [[rules]]?',
        'a.toml:6: listeners[0].protocol: found "tls" (TLS is not available in this version); expected tcp or udp',
        'a.toml:7: listeners[0].tls: found a table; expected no such key: TLS is not available in this version',
        'a.toml:8: listeners[0].proxy_protocol: found "v2" (the PROXY protocol is not available in this version); expected false',
        'a.toml:9: listeners[0].nam is not a known key; did you mean listeners[0].name?',
        'a.toml:11: listeners[1].bind: found "127.0.0.1:80x" ("127.0.0.1:80x" is not host:port); expected host:port or [v6]:port, the host as an IP address, the port from 0 to 65535',
        'a.toml:12: listeners[1].idle_timeout_secs: found "-1"; expected seconds from 0 to 2592000, at most three decimals',
        'a.toml:17: listeners[2].idle_timeout_secs: found "0"; expected seconds from 0.1 to 2592000, at most three decimals, of UDP',
        `a.toml:22: routers.a.plugin: found "round_robbin"; expected one of ${plugins}; did you mean round_robin?`,
        'a.toml:25: routers.b.config.affinty is not a known key; did you mean affinity?',
        'a.toml:25: routers.b.config.affinity: found "7"; expected true or false',
        `a.toml:27: rules[0].name: found "x/y"; expected ${name}`,
        `a.toml:28: rules[0].router: found "c"; expected a [routers.NAME] or one of ${plugins}; did you mean a?`,
        `a.toml:32: rules[0].backends[0].address: found "nowhere:80" ("nowhere" is not an IPv4 or IPv6 address or unix:/path); expected ${address}`,
        'a.toml:34: rules[0].backends[1].id: found "a"; expected another id than that of a.toml:31: rules[0].backends[0].id',
        `a.toml:33: rules[0].backends[1].address: found nothing; expected ${address}`,
        'a.toml:35: rules[0].backends[1].adress is not a known key; did you mean rules[0].backends[1].address?',
        'a.toml:37: rules[0].matcher.type: found "prot"; expected one of port, port_range, sni, source_ip, destination_ip, custom',
        'a.toml:39: rules[1].name: found "x/y"; expected another name than that of a.toml:27: rules[0].name',
        `a.toml:39: rules[1].name: found "x/y"; expected ${name}`,
        'a.toml:29: rules[0].app: found "x"; expected app or backends, not both',
        'a.toml:41: rules[1].app: found "x"; expected app or backends, not both',
        'a.toml:42: rules[1].backends: found an array; expected at least one backend',
        `a.toml:45: rules[1].matcher.cidrs[1]: found "10.0.0.1/8" (it has bits beyond its prefix; the network is 10.0.0.0/8); expected ${cidrs}`,
        `a.toml:49: rules[2].backends[1].address: found "0.0.0.0:80" ("0.0.0.0" is the unspecified address); expected ${address}`,
        'a.toml:51: rules[3].matcher.config.at[0]: found a date; expected strings, finite numbers of at most 53 bits, true, false, arrays and tables',
        `a.toml:53: rules[3].router: found "round_robn"; expected a [routers.NAME] or one of ${plugins}; did you mean round_robin?`,
        'a.toml:50: rules[3].backends: found nothing; expected tables [[rules.backends]], or app = "…"',
        'a.toml:57: rules[4].matcher.end: found "1"; expected a port not below start (2)',
        'a.toml:62: rules[5].backends[0].address: found "unix:/run/x"; expected host:port; a Unix socket is for rules with protocol = "tcp"',
      ]
        .sort(byLine)
        .concat([
          'a.toml:13: listeners[2].bind: 127.0.0.1:53 and 0.0.0.0:53 overlap; expected an address that server.udp_bind leaves free',
          'a.toml:18: listeners[3].name: found "b"; expected another than that of a.toml:13: listeners[2]',
        ]),
    );
  });
});

describe('mistakes that keys make together', () => {
  it('are said of tables that are wrong elsewhere, too', async (t) => {
    const problems = await problemsOf(
      t,
      `[server]
tcp_bind = "127.0.0.1:80"
[[listeners]]
bind = "127.0.0.1:80x"
protocol = "udp"
idle_timeout_secs = 0
[[rules]]
name = "a"
weight = 1
app = "x"
matcher = { type = "port_range", start = 2, end = 1 }
[[rules.backends]]
id = "b"
address = "127.0.0.1:1"
[[rules]]
name = "b"
protocol = "sctp"
matcher = { type = "source_ip" }`,
    );
    const said = problems.map((problem) => problem.replace(/^a\.toml:(\d+): /, '$1 ').replace(/ \(|;.*/, ''));
    assert.deepEqual(
      said.map((problem) => problem.split(/[: ]/, 2).join(' ')),
      [
        '4 listeners[0].bind',
        '6 listeners[0].idle_timeout_secs',
        '9 rules[0].weight',
        '10 rules[0].app',
        '11 rules[0].matcher.end',
        '15 rules[1].backends',
        '17 rules[1].protocol',
        '18 rules[1].matcher.cidrs',
      ],
    );
  });
});

/** Those of structures are in the order of their lines, after the settings'. */
function byLine(one: string, other: string): number {
  const lineOf = (problem: string): number => (problem.includes('[rule]') ? 0 : Number(/:(\d+):/.exec(problem)?.[1]));
  return lineOf(one) - lineOf(other);
}

describe('what can be meant by nobody', () => {
  async function warningsOf(t: TestContext, text: string): Promise<string[]> {
    const result = await load(t, text);
    assert.ok(result.isValid, result.isValid ? '' : result.problems.join('\n'));
    return result.warnings.map((warning) => warning.replaceAll(/\/\S*\/a\.toml/g, 'a.toml'));
  }

  it('is warned of: rules that cannot match, and routers that no rule uses', async (t) => {
    const text = `[server]
tcp_bind = ["0.0.0.0:8080", "0.0.0.0:443"]
[routers.idle]
plugin = "random"
[[rules]]
name = "udp"
protocol = "udp"
app = "a"
[[rules]]
name = "other port"
app = "a"
matcher = { type = "port", port = 53 }
[[rules]]
name = "other ports"
app = "a"
protocol = "tcp"
matcher = { type = "port_range", start = 1, end = 442 }
[[rules]]
name = "all of them"
app = "a"
matcher = { type = "port_range", start = 443, end = 444 }
[[rules]]
name = "too late"
app = "a"
matcher = { type = "port", port = 443 }
[[rules]]
name = "tcp"
protocol = "tcp"
app = "a"
[[rules]]
name = "later"
protocol = "tcp"
app = "a"
matcher = { type = "source_ip", cidr = "10.0.0.0/8" }
[[rules]]
name = "last"
app = "a"
`;
    assert.deepEqual(await warningsOf(t, text), [
      'a.toml:3: routers.idle: no rule uses this router',
      'a.toml:5: rules[0]: this rule can never match: no listener speaks udp',
      'a.toml:9: rules[1]: this rule can never match: no listener has port 53',
      'a.toml:13: rules[2]: this rule can never match: no listener has a port from 1 to 442 and speaks tcp',
      'a.toml:22: rules[4]: this rule can never match: all that it matches is matched by a.toml:18: rules[3] before it',
      'a.toml:30: rules[6]: this rule can never match: all that it matches is matched by a.toml:26: rules[5] before it',
      'a.toml:35: rules[7]: this rule can never match: all that it matches is matched by a.toml:26: rules[5] before it',
    ]);
  });

  it('is nothing where the kernel chooses the port, and where each protocol has rules of its own', async (t) => {
    const text = `[server]
tcp_bind = "127.0.0.1:0"
udp_bind = "127.0.0.1:0"
[[rules]]
name = "a"
app = "a"
matcher = { type = "port", port = 53 }
[[rules]]
name = "b"
protocol = "tcp"
app = "a"
[[rules]]
name = "c"
app = "a"
`;
    assert.deepEqual(await warningsOf(t, text), []);
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
