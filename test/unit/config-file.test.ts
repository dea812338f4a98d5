import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'smol-toml';
import type { z } from 'zod';
import { readConfigFile } from '../../src/adapters/inbound/config/config-file.js';
import { loadConfig } from '../../src/adapters/inbound/config/load-config.js';
import type { ConfigInput, ConfigResult } from '../../src/adapters/inbound/config/load-config.js';
import { SETTINGS, SETTING_KEYS } from '../../src/adapters/inbound/config/settings.js';
import { STRUCTURES } from '../../src/adapters/inbound/config/structure-names.js';
import { listenerSchema } from '../../src/adapters/inbound/config/structures/listener-schema.js';
import { MATCHER_SCHEMAS } from '../../src/adapters/inbound/config/structures/matcher-schema.js';
import { routerSchema } from '../../src/adapters/inbound/config/structures/router-schema.js';
import { backendSchema, ruleSchema } from '../../src/adapters/inbound/config/structures/rule-schema.js';
import type { ProxyConfig } from '../../src/application/proxy-config.js';
import { EVERY_SETTING, scalars } from '../fixtures/every-setting.js';
import { tomlOf } from '../support/config-file.js';
import { scratchDirectory } from '../support/scratch-directory.js';

const EXAMPLE = fileURLToPath(new URL('../../edgeproxy.example.toml', import.meta.url));
const BASE: ConfigInput = { env: {}, flags: {}, isDemo: false, host: { cpuCount: 3, isTerminal: false } };

async function load(t: TestContext, text: string | Buffer, input: Partial<ConfigInput> = {}): Promise<ConfigResult> {
  const path = join(await scratchDirectory(t), 'a.toml');
  writeFileSync(path, text);
  return loadConfig({ ...BASE, ...input, file: await readConfigFile(path) });
}

async function configOf(t: TestContext, text: string | Buffer, input: Partial<ConfigInput> = {}): Promise<ProxyConfig> {
  const result = await load(t, text, input);
  assert.ok(result.isValid, result.isValid ? '' : result.problems.join('\n'));
  return result.config;
}

/** Without the folder of the file. */
async function problemsOf(t: TestContext, text: string, input: Partial<ConfigInput> = {}): Promise<string[]> {
  const result = await load(t, text, input);
  assert.ok(!result.isValid, 'the file was accepted');
  return result.problems.map((problem) => problem.replace(/^\/.*\/a\.toml/, 'a.toml'));
}

function partsOf(key: (typeof SETTING_KEYS)[number]): [section: string, name: string] {
  const [section = '', name = ''] = SETTINGS[key].toml.split('.');
  return [section, name];
}

describe('a configuration file', () => {
  it('takes every setting as text, as in the environment', async (t) => {
    const tables: Record<string, Record<string, string>> = {};
    for (const { key, text } of EVERY_SETTING) {
      const [section, name] = partsOf(key);
      (tables[section] ??= {})[name] = text;
    }
    const values = Object.fromEntries(EVERY_SETTING.map(({ key, value }) => [key, value]));
    assert.deepEqual(scalars(await configOf(t, tomlOf(tables))), { ...values, isDemo: false });
  });

  it('takes numbers, booleans and arrays as TOML has them', async (t) => {
    const config = await configOf(
      t,
      `[server]
       tcp_bind = [ "127.0.0.1:0", # the first
                    "[::1]:443" ]
       max_connections = 20_000
       [health_check]
       enabled = true
       interval = 2.5
       timeout = 1.0`,
    );
    assert.deepEqual(config.listen, [
      { address: '127.0.0.1', port: 0 },
      { address: '::1', port: 443 },
    ]);
    assert.deepEqual(
      [
        config.maxConnectionsTotal,
        config.isHealthCheckEnabled,
        config.healthCheckIntervalSecs,
        config.healthCheckTimeoutSecs,
      ],
      [20_000, true, 2.5, 1],
    );
  });

  it('takes a setting under its second key, in the unit of that one', async (t) => {
    const config = await configOf(t, '[server]\nconnection_timeout = 2.5\nbuffer_size = 8192\n');
    assert.deepEqual([config.connectTimeoutMs, config.bufferBytes], [2500, 8192]);
    const env = { EDGEPROXY_CONNECT_TIMEOUT_MS: '700' };
    const overridden = await configOf(t, '[server]\nconnection_timeout = 2\n', { env });
    assert.equal(overridden.connectTimeoutMs, 700);
  });

  it('is refused with both keys of a setting, and names the key that was written', async (t) => {
    const text = '[server]\nbuffer_size = 8192\nconnection_timeout = 601\n[relay]\nbuffer_size = 8192\n';
    assert.deepEqual(await problemsOf(t, text), [
      'a.toml:3: server.connection_timeout: "601" is not valid; expected seconds from 0.001 to 600, at most three decimals',
      'a.toml:5: relay.buffer_size: found beside server.buffer_size, which is the same; expected one of the two',
    ]);
  });

  it('goes before the default, after variables and these after flags', async (t) => {
    const text = '[routing]\nregion = "us"\ndb_path = "file.db"\n[server]\naccept = "reuseport"\n';
    const env = { EDGEPROXY_REGION: 'eu', EDGEPROXY_DB_PATH: 'env.db', EDGEPROXY_ACCEPT: '' };
    const config = await configOf(t, text, { env, flags: { region: 'ap' } });
    assert.deepEqual([config.region, config.dbPath, config.accept, config.workers], ['ap', 'env.db', 'reuseport', 3]);
  });

  it('is refused where it holds no settings: half of a file looks like that', async (t) => {
    for (const text of ['', ' \n\t\n', '# nothing\n', '\ufeff', '[server]\n', '[server]\n[limits]\n']) {
      assert.deepEqual(await problemsOf(t, text), ['a.toml: holds no settings; expected at least one key']);
    }
  });

  it('may have a byte order mark or Windows line ends', async (t) => {
    const config = await configOf(t, '\ufeff[server]\r\nmax_connections = 5\r\n');
    assert.equal(config.maxConnectionsTotal, 5);
  });

  it('is refused with file, line, key, value and what is expected, all at once', async (t) => {
    const text = `# comment
[server]
tcp_bind = ["127.0.0.1:80", "nowhere"]
worker_threads = 2.5
accept = ["handoff"]

[logging]
level = 2026-01-01
format = { kind = "json" }
[limits]
max_connections_per_ip = 99999999999999999
`;
    assert.deepEqual(await problemsOf(t, text), [
      'a.toml:3: server.tcp_bind: "127.0.0.1:80,nowhere" is not valid ("nowhere" is not host:port); expected host:port or [v6]:port, comma-separated, hosts as IP addresses, ports from 0 to 65535, or none',
      'a.toml:4: server.worker_threads: "2.5" is not valid; expected a whole number from 1 to 128',
      'a.toml:11: limits.max_connections_per_ip: "99999999999999999" is not valid; expected a whole number from 0 to 10000000',
      'a.toml:5: server.accept: found an array; expected one of handoff, reuseport',
      'a.toml:8: logging.level: found a date; expected one of trace, debug, info, warn, error, fatal, silent',
      'a.toml:9: logging.format: found a table; expected one of pretty, json',
    ]);
  });

  it('must be right also where a variable goes before it, and does not hide what is wrong elsewhere', async (t) => {
    const env = { EDGEPROXY_ACCEPT: 'handoff', EDGEPROXY_REGION: '?' };
    const named = (await problemsOf(t, '[server]\naccept = "both"', { env })).map((problem) => problem.slice(0, 25));
    assert.deepEqual(named, ['EDGEPROXY_REGION: "?" is ', 'a.toml:2: server.accept: ']);
    assert.equal((await problemsOf(t, '[server', { env })).length, 2);
  });

  it('is refused for what it does not know, with the nearest name', async (t) => {
    const text = `colour = "red"
worker_threads = 3
routing = "a.db"
[servers]
[server]
max_conections = 5
"\\u001b[2J" = 1
enabled = true
[[limits]]
[nothing.like.it]
`;
    assert.deepEqual(await problemsOf(t, text), [
      'a.toml:1: colour is not a known key',
      'a.toml:2: worker_threads is not a known key; did you mean server.worker_threads?',
      'a.toml:3: routing: found "a.db"; expected a table [routing]',
      'a.toml:4: [servers] is not a known section; did you mean [server]?',
      'a.toml:6: server.max_conections is not a known key; did you mean server.max_connections?',
      'a.toml:7: server."\\u{1b}[2J" is not a known key',
      'a.toml:8: server.enabled is not a known key; did you mean circuit_breaker.enabled?',
      'a.toml:9: limits: found an array of tables; expected a table [limits]',
      'a.toml:10: [nothing] is not a known section',
    ]);
  });

  it('is refused with line and column where it is not TOML', async (t) => {
    assert.deepEqual(await problemsOf(t, '[server]\naccept = = "x"\n'), ['a.toml:2:10: not valid TOML: invalid value']);
    assert.match(
      (await problemsOf(t, '[server]\naccept = "x"\naccept = "y"\n'))[0] ?? '',
      /^a\.toml:3:\d+: not valid TOML: /,
    );
    assert.match((await problemsOf(t, `a = ${'['.repeat(5000)}`))[0] ?? '', /^a\.toml:1:\d+: not valid TOML: /);
  });
});

describe('keys of the configuration file', () => {
  it('are one for each setting', () => {
    const keys = SETTING_KEYS.map((key) => SETTINGS[key].toml);
    assert.equal(new Set(keys).size, keys.length);
    for (const key of keys) assert.match(key, /^[a-z_]+\.[a-z_]+$/);
  });
});

describe('edgeproxy.example.toml', () => {
  const text = readFileSync(EXAMPLE, 'utf8');

  const uncommented = text.replaceAll(/^# (\w+ = |\[)/gm, '$1');

  it('has every key, and no other', () => {
    const found = Object.entries(parse(uncommented))
      .filter(([section]) => !STRUCTURES.some((structure) => structure === section))
      .flatMap(([section, table]) => Object.keys(table as object).map((name) => `${section}.${name}`));
    assert.deepEqual(found.sort(), SETTING_KEYS.map((key) => SETTINGS[key].toml).sort());
  });

  it('has every key of listeners, routers and rules that is available, and is valid with all of it', async (t) => {
    const { listeners, routers, rules } = parse(uncommented) as Record<string, Record<string, unknown>[]>;
    const keysOf = (tables: readonly object[] = []): string[] => [...new Set(tables.flatMap(Object.keys))].sort();
    const known = (schema: z.ZodObject): string[] => Object.keys(schema.shape).sort();
    assert.deepEqual([...keysOf(listeners), 'tls'].sort(), known(listenerSchema));
    assert.deepEqual(keysOf(Object.values(routers ?? {})), known(routerSchema));
    assert.deepEqual(keysOf(rules), known(ruleSchema));
    assert.deepEqual(keysOf(rules?.flatMap(({ backends = [] }) => backends as object[])), known(backendSchema));
    const matchers = (rules ?? []).flatMap(({ matcher = [] }) => matcher as { type: string });
    for (const [type, schema] of Object.entries(MATCHER_SCHEMAS)) {
      assert.deepEqual(keysOf(matchers.filter((matcher) => matcher.type === type)), known(schema));
    }
    // The only file that the example names and does not come with.
    const result = await load(t, uncommented.replaceAll('matcher.mjs', EXAMPLE));
    assert.deepEqual(result.isValid ? [] : result.problems, []);
  });

  it('says of each key what it means, and has its default', async () => {
    for (const key of SETTING_KEYS) {
      const [, name] = partsOf(key);
      assert.ok(
        text.includes(`# ${SETTINGS[key].description}\n${name} = `) ||
          text.includes(`# ${SETTINGS[key].description}\n# ${name} = `),
        `${SETTINGS[key].toml} is not described as in the documentation`,
      );
    }
    const fromFile = loadConfig({ ...BASE, file: await readConfigFile(EXAMPLE) });
    const defaults = loadConfig(BASE);
    assert.ok(fromFile.isValid && defaults.isValid);
    assert.deepEqual(fromFile.config, defaults.config);
  });
});
