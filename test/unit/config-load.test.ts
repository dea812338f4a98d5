import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { knownVariables, loadConfig } from '../../src/adapters/inbound/config/load-config.js';
import type { ConfigInput, ConfigResult } from '../../src/adapters/inbound/config/load-config.js';
import { UNAVAILABLE_FEATURES } from '../../src/adapters/inbound/config/unavailable-features.js';
import type { ProxyConfig } from '../../src/application/proxy-config.js';
import { EVERY_SETTING, scalars } from '../fixtures/every-setting.js';

type Input = Partial<ConfigInput>;

function load(input: Input): ConfigResult {
  return loadConfig({ env: {}, flags: {}, isDemo: false, host: { cpuCount: 3, isTerminal: false }, ...input });
}

function configOf(input: Input): ProxyConfig {
  const result = load(input);
  assert.ok(result.isValid, result.isValid ? '' : result.problems.join('\n'));
  return result.config;
}

function problemsOf(input: Input): readonly string[] {
  const result = load(input);
  assert.ok(!result.isValid, 'the configuration was accepted');
  return result.problems;
}

describe('loadConfig', () => {
  it('gives the documented defaults to an empty environment', () => {
    const defaults = Object.fromEntries(EVERY_SETTING.map(({ key, fallback }) => [key, fallback]));
    assert.deepEqual(scalars(configOf({})), { ...defaults, isDemo: false });
  });

  it('reads every variable', () => {
    const env = Object.fromEntries(EVERY_SETTING.map(({ variable, text }) => [variable, text]));
    const values = Object.fromEntries(EVERY_SETTING.map(({ key, value }) => [key, value]));
    assert.deepEqual(scalars(configOf({ env })), { ...values, isDemo: false });
  });

  it('lets a single connect take as long as it may, where no total is given', () => {
    const totalOf = (env: Record<string, string>): number => configOf({ env }).connectTotalTimeoutMs;
    assert.equal(totalOf({ EDGEPROXY_CONNECT_TIMEOUT_MS: '30000' }), 30_000);
    assert.equal(totalOf({ EDGEPROXY_CONNECT_TIMEOUT_MS: '100' }), 15_000);
    assert.equal(
      totalOf({ EDGEPROXY_CONNECT_TIMEOUT_MS: '30000', EDGEPROXY_CONNECT_TOTAL_TIMEOUT_MS: '20000' }),
      20_000,
    );
  });

  it('puts a flag before the variable and the variable before the default', () => {
    const env = { EDGEPROXY_REGION: 'us', EDGEPROXY_DB_PATH: 'env.db' };
    const config = configOf({ env, flags: { region: 'ap' } });
    assert.deepEqual([config.region, config.dbPath, config.accept], ['ap', 'env.db', 'handoff']);
  });

  it('counts an empty variable as unset and an empty flag as wrong', () => {
    assert.equal(configOf({ env: { EDGEPROXY_REGION: '', EDGEPROXY_RATE_LIMIT_ENABLED: '' } }).region, 'sa');
    assert.match(problemsOf({ flags: { region: '' } }).join(), /^--region: "" is not valid; expected /);
  });

  it('names the variable or the flag that holds a wrong value', () => {
    const flags = { workers: 'many' };
    assert.deepEqual(problemsOf({ flags }), ['--workers: "many" is not valid; expected a whole number from 1 to 128']);
    const env = { EDGEPROXY_WORKERS: '0' };
    assert.deepEqual(problemsOf({ env }), [
      'EDGEPROXY_WORKERS: "0" is not valid; expected a whole number from 1 to 128',
    ]);
  });

  it('reports all problems at once', () => {
    const env = { EDGEPROXY_ACCEPT: 'both', EDGEPROXY_LISTEN_ADDR: '8080', EDGEPROXY_TLS_ENABLED: 'true' };
    const named = problemsOf({ env }).map((problem) => problem.split(':')[0]);
    assert.deepEqual(named, ['EDGEPROXY_LISTEN_ADDR', 'EDGEPROXY_ACCEPT', 'EDGEPROXY_TLS_ENABLED']);
  });

  it('shows a hostile value escaped and shortened', () => {
    const [problem = ''] = problemsOf({ env: { EDGEPROXY_REGION: `\x1b[2J\u202e"${'x'.repeat(5000)}` } });
    assert.ok(problem.startsWith('EDGEPROXY_REGION: "\\u{1b}[2J\\u{202e}\\"xxx'), problem);
    assert.ok(problem.length < 250, problem);
  });

  it('refuses what only resembles a number', () => {
    for (const text of [
      '1.5',
      '0x10',
      ' 4',
      '4 ',
      '-1',
      '+4',
      '1e2',
      '08',
      '1_0',
      '٤',
      '129',
      '9'.repeat(400),
      'NaN',
    ]) {
      assert.equal(problemsOf({ env: { EDGEPROXY_WORKERS: text } }).length, 1, text);
    }
    for (const text of ['-0.5', '.5', '5.', '1.0001', '1e3', 'Infinity', '5s', '1,5']) {
      assert.equal(problemsOf({ env: { EDGEPROXY_IDLE_TIMEOUT_SECS: text } }).length, 1, text);
    }
  });

  it('refuses file names with surrounding blanks or line breaks, which are quoting errors', () => {
    for (const text of [' routing.db', 'routing.db ', 'routing.db\n', 'a\0b']) {
      assert.equal(problemsOf({ env: { EDGEPROXY_DB_PATH: text } }).length, 1, JSON.stringify(text));
    }
    assert.equal(configOf({ env: { EDGEPROXY_DB_PATH: 'my routes.db' } }).dbPath, 'my routes.db');
  });

  it('takes a region in either case, and compares it in lower case', () => {
    assert.equal(configOf({ env: { EDGEPROXY_REGION: 'SA' } }).region, 'sa');
    assert.equal(configOf({ flags: { region: 'Eu-West.1' } }).region, 'eu-west.1');
  });

  it('takes the usual spellings of on and off', () => {
    for (const text of ['on', 'true', 'YES', '1']) {
      assert.equal(configOf({ env: { EDGEPROXY_SPLICE: text } }).isSpliceEnabled, true);
    }
    for (const text of ['off', 'False', 'no', '0']) {
      assert.equal(configOf({ env: { EDGEPROXY_SPLICE: text } }).isSpliceEnabled, false);
    }
  });

  it('logs prettily on a terminal unless told otherwise', () => {
    const host = { cpuCount: 1, isTerminal: true };
    assert.equal(configOf({ host }).logFormat, 'pretty');
    assert.equal(configOf({ host, env: { EDGEPROXY_LOG_FORMAT: 'json' } }).logFormat, 'json');
  });

  it('keeps the default number of workers within what the shared region can hold', () => {
    assert.equal(configOf({ host: { cpuCount: 512, isTerminal: false } }).workers, 128);
    assert.equal(configOf({ host: { cpuCount: 0, isTerminal: false } }).workers, 1);
  });

  it('lowers the log level to debug where DEBUG is set, unless a flag names one', () => {
    const env = { EDGEPROXY_DEBUG: '1', EDGEPROXY_LOG_LEVEL: 'error' };
    assert.equal(configOf({ env }).logLevel, 'debug');
    assert.equal(configOf({ env, flags: { logLevel: 'warn' } }).logLevel, 'warn');
    assert.equal(configOf({ env: { EDGEPROXY_DEBUG: 'proxy:*' } }).logLevel, 'debug');
    assert.equal(configOf({ env: { ...env, EDGEPROXY_DEBUG: '0' } }).logLevel, 'error');
    assert.equal(configOf({ env: { ...env, EDGEPROXY_DEBUG: '' } }).logLevel, 'error');
  });

  it('freezes what it hands out', () => {
    const config = configOf({});
    assert.ok(Object.isFrozen(config) && Object.isFrozen(config.listen) && Object.isFrozen(config.listen[0]));
  });
});

describe('what this version does not have', () => {
  for (const { variable, parameters } of UNAVAILABLE_FEATURES) {
    it(`refuses ${variable}=true, accepts false and its parameters`, () => {
      assert.match(
        problemsOf({ env: { [variable]: 'true' } }).join(),
        new RegExp(`^${variable}: .* is not available in this`),
      );
      assert.match(
        problemsOf({ env: { [variable]: 'perhaps' } }).join(),
        new RegExp(`^${variable}: "perhaps" is not valid`),
      );
      const env = Object.fromEntries(parameters.map((name) => [`EDGEPROXY_${name}`, 'anything']));
      assert.deepEqual(load({ env: { ...env, [variable]: 'false' } }).warnings, []);
      configOf({ env: { ...env, [variable]: 'false' } });
    });
  }
});

describe('unknown variables', () => {
  it('are warned of, with the name that was probably meant', () => {
    const { warnings } = load({ env: { EDGEPROXY_WORKRES: '4' } });
    assert.deepEqual(warnings, ['"EDGEPROXY_WORKRES" is not a known variable; did you mean EDGEPROXY_WORKERS?']);
  });

  it('are named without advice where nothing is near, and never with their value', () => {
    const { warnings } = load({ env: { EDGEPROXY_KUBERNETES_SECRET_THING: 'hunter2' } });
    assert.deepEqual(warnings, ['"EDGEPROXY_KUBERNETES_SECRET_THING" is not a known variable']);
  });

  it('do not keep the proxy from starting, and other prefixes are none of its business', () => {
    configOf({ env: { EDGEPROXY_LATER: '1' } });
    assert.deepEqual(load({ env: { PATH: '/bin', WORKERS: 'x' } }).warnings, []);
  });

  it('cannot be two settings under one name', () => {
    assert.equal(new Set(knownVariables()).size, knownVariables().length);
  });
});
