/** What becomes of a configuration file's text, as the program reads it. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readConfigFile } from '../../src/adapters/inbound/config/config-file.js';
import { loadConfig } from '../../src/adapters/inbound/config/load-config.js';
import type { ConfigInput, ConfigResult } from '../../src/adapters/inbound/config/load-config.js';
import type { ProxyConfig } from '../../src/application/proxy-config.js';
import { scratchDirectory, type Owner } from './scratch-directory.js';

const BASE: ConfigInput = { env: {}, flags: {}, isDemo: false, host: { cpuCount: 3, isTerminal: false } };

export async function load(t: Owner, text: string, input: Partial<ConfigInput> = {}): Promise<ConfigResult> {
  const path = join(await scratchDirectory(t), 'a.toml');
  writeFileSync(path, text);
  return loadConfig({ ...BASE, ...input, file: await readConfigFile(path) });
}

export async function configOf(t: Owner, text: string, input: Partial<ConfigInput> = {}): Promise<ProxyConfig> {
  const result = await load(t, text, input);
  assert.ok(result.isValid, result.isValid ? '' : result.problems.join('\n'));
  return result.config;
}

/** Without the folder of the file. */
export async function problemsOf(t: Owner, text: string, input: Partial<ConfigInput> = {}): Promise<string[]> {
  const result = await load(t, text, input);
  assert.ok(!result.isValid, 'the file was accepted');
  return result.problems.map((problem) => problem.replaceAll(/\/\S*\/a\.toml/g, 'a.toml'));
}
