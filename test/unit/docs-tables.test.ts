/** The tables of the documentation are the code's: whatever one has, the other has. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { SETTINGS, SETTING_KEYS } from '../../src/adapters/inbound/config/settings.js';
import { knownVariables } from '../../src/adapters/inbound/config/load-config.js';
import type { Setting } from '../../src/adapters/inbound/config/setting.js';
import { UNAVAILABLE_FEATURES } from '../../src/adapters/inbound/config/unavailable-features.js';
import { METRICS } from '../../src/application/metrics/metric-catalogue.js';
import { backendCommand } from '../../src/cli/backend-command.js';
import { startCommand, validateCommand } from '../../src/cli/start-command.js';
import { WORKER_SETTINGS_VARIABLE } from '../../src/cluster/messages.js';
import { INHERITANCE_VARIABLE } from '../../src/cluster/upgrade/inheritance.js';
import { SCHEMA_TABLES } from '../support/schema-rows.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const ERROR_CODE = /\bEP_[A-Z][A-Z_]*[A-Z]\b/g;
const SIGNAL = /'(SIG[A-Z0-9]+)'/g;

function textOf(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** The cells of the table whose header starts with `header`. */
function tableRows(path: string, header: string): string[][] {
  const lines = textOf(path).split('\n');
  const start = lines.findIndex((line) => cellsOf(line)[0] === header);
  assert.notEqual(start, -1, `${path} has no table of ${header}`);
  const length = lines.slice(start).findIndex((line) => !line.startsWith('|'));
  return lines.slice(start + 2, start + length).map(cellsOf);
}

function cellsOf(line: string): string[] {
  return line.startsWith('|')
    ? line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim())
    : [];
}

function code(text: string): string {
  return `\`${text}\``;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|cc|h)$/.test(name))
    .map((name) => join(folder, name));
}

/** Flags of a command as typed, without those that are hidden or common to all. */
function flagsOf(command: Command): string[] {
  return command.options.filter(({ hidden }) => !hidden).map(({ long }) => long ?? '');
}

function flagsIn(cell = ''): string[] {
  return cell.match(/--[a-z-]+/g) ?? [];
}

describe('docs/configuration.md', () => {
  it('has the keys of listeners, routers, rules, their backends and their matchers', () => {
    for (const [header, rows] of Object.entries(SCHEMA_TABLES)) {
      assert.deepEqual(tableRows('docs/configuration.md', header), rows, header);
    }
  });

  it('has every setting with its flag, default, values and meaning', () => {
    const expected = SETTING_KEYS.map((key): Setting<unknown> => SETTINGS[key]).map((setting) => [
      code(setting.variable),
      setting.flag === undefined ? '' : code(`${setting.flag.name} ${setting.flag.argument}`),
      setting.fallback,
      setting.parser.expected,
      setting.description,
    ]);
    assert.deepEqual(tableRows('docs/configuration.md', 'variable'), expected);
  });

  it('has the key of every setting in the configuration file, and when another value takes effect', () => {
    const expected = SETTING_KEYS.map((key): Setting<unknown> => SETTINGS[key]).map((setting) => [
      code(setting.toml),
      code(setting.variable),
      setting.appliesAt === 'start' ? 'at the next start' : 'at a reload',
    ]);
    assert.deepEqual(tableRows('docs/configuration.md', 'key'), expected);
  });

  it('has the keys that mean the same as others', () => {
    const expected = SETTING_KEYS.map((key): Setting<unknown> => SETTINGS[key]).flatMap(
      ({ toml, parser, aliases = [] }) =>
        aliases.map((alias) => [code(alias.toml), code(toml), (alias.parser ?? parser).expected]),
    );
    assert.deepEqual(tableRows('docs/configuration.md', 'other key'), expected);
  });

  it('has every feature that cannot be switched on', () => {
    const text = textOf('docs/configuration.md');
    const rows = text
      .split('\n')
      .map(cellsOf)
      .filter(([, feature]) => UNAVAILABLE_FEATURES.some((f) => f.feature === feature));
    const expected = UNAVAILABLE_FEATURES.map(({ variable, feature, parameters }) => [
      code(variable),
      feature,
      parameters.map((name) => code(`EDGEPROXY_${name}`)).join(', '),
    ]);
    assert.deepEqual(rows, expected);
  });
});

describe('docs/configuration.md and its variables', () => {
  it('names every variable that means something, and no other', () => {
    const named = textOf('docs/configuration.md').match(/\bEDGEPROXY_[A-Z0-9_]*[A-Z0-9]\b/g) ?? [];
    assert.deepEqual([...new Set(named)].sort(), [...knownVariables()].sort());
  });

  it('are the ones that the sources read, but for the words between processes of the proxy', () => {
    const read = sourceFiles('src').flatMap((path) => textOf(path).match(/\bEDGEPROXY_[A-Z0-9_]*[A-Z0-9]\b/g) ?? []);
    const internal = [INHERITANCE_VARIABLE, WORKER_SETTINGS_VARIABLE];
    assert.deepEqual([...new Set(read)].filter((name) => !knownVariables().includes(name)).sort(), internal);
  });
});

describe('docs/cli.md', () => {
  it('has every flag of start and validate', () => {
    const rows = tableRows('docs/cli.md', 'flag');
    const documented = (command: string): string[] =>
      rows.filter(([, commands]) => commands?.split(', ').includes(command)).flatMap(([flag]) => flagsIn(flag));
    assert.deepEqual(documented('start').sort(), flagsOf(startCommand(() => undefined)).sort());
    assert.deepEqual(documented('validate').sort(), flagsOf(validateCommand(() => undefined)).sort());
  });

  it('has every command of `edgeproxy backend` with its flags', () => {
    const documented = tableRows('docs/cli.md', 'command').map(([name = '', flags]) => [
      /[a-z]+/.exec(name)?.[0],
      flagsIn(flags).sort(),
    ]);
    const commands = backendCommand().commands.map((command) => [command.name(), flagsOf(command).sort()]);
    assert.deepEqual(documented, commands);
  });
});

describe('docs/metrics.md', () => {
  it('has every series with its type, labels and meaning', () => {
    const expected = Object.entries(METRICS).map(([name, { type, labels, help }]) => [
      code(name),
      type,
      labels.join(', '),
      help,
    ]);
    assert.deepEqual(tableRows('docs/metrics.md', 'series'), expected);
  });
});

describe('docs/errors.md', () => {
  it('has every code of the sources, and no other', () => {
    const used = [...sourceFiles('src'), ...sourceFiles('native')].flatMap(
      (path) => textOf(path).match(ERROR_CODE) ?? [],
    );
    const documented = tableRows('docs/errors.md', 'code').map(([name]) => name);
    assert.deepEqual(documented, [...new Set(used)].sort().map(code));
  });

  it('says of each code what it means and what to do', () => {
    for (const [name, meaning = '', advice = ''] of tableRows('docs/errors.md', 'code')) {
      assert.ok(meaning.length > 10 && advice.length > 5, name);
    }
  });
});

describe('docs/signals.md', () => {
  it('has every signal that the primary answers, and no other', () => {
    const answered = new Set([...textOf('src/cluster/primary.ts').matchAll(SIGNAL)].map(([, name = '']) => name));
    const documented = tableRows('docs/signals.md', 'signal').map(([name]) => name);
    assert.deepEqual(documented.sort(), [...answered].sort().map(code));
  });
});

describe('links between documents', () => {
  for (const path of [
    'README.md',
    'ARCHITECTURE.md',
    ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`),
  ]) {
    it(`lead somewhere in ${path}`, () => {
      for (const [, target = ''] of textOf(path).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
        assert.ok(existsSync(join(ROOT, dirname(path), target)), `${path} links to ${target}`);
      }
    });
  }
});
