/** What is wrong with [[listeners]], [routers.*] and [[rules]], or can be meant by nobody. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ROUTER_PLUGINS } from '../../src/domain/routing/router-plugins.js';
import { configOf, load, problemsOf } from '../support/loaded-config.js';

const PLUGIN_NAMES = ROUTER_PLUGINS.map(({ name }) => name);

/** Those of structures are in the order of their lines, after the settings'. */
function byLine(one: string, other: string): number {
  const lineOf = (problem: string): number => (problem.includes('[rule]') ? 0 : Number(/:(\d+):/.exec(problem)?.[1]));
  return lineOf(one) - lineOf(other);
}

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
