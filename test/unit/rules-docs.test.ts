/** docs/rules.md: its examples are valid, and mean what it says. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readConfigFile } from '../../src/adapters/inbound/config/config-file.js';
import { loadConfig } from '../../src/adapters/inbound/config/load-config.js';
import { scratchDirectory } from '../support/scratch-directory.js';

const TEXT = readFileSync(fileURLToPath(new URL('../../docs/rules.md', import.meta.url)), 'utf8');

function examples(language: string): string[] {
  return [...TEXT.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, text]) => text ?? '');
}

describe('docs/rules.md', () => {
  it('has examples that are valid', async (t) => {
    const directory = await scratchDirectory(t);
    const matcher = join(directory, 'match.mjs');
    writeFileSync(matcher, examples('js')[0] ?? '');
    const path = join(directory, 'edgeproxy.toml');
    writeFileSync(path, examples('toml').join('\n').replace('./match.mjs', matcher));
    const input = { env: {}, flags: {}, isDemo: false, host: { cpuCount: 1, isTerminal: false } };
    const result = loadConfig({ ...input, file: await readConfigFile(path) });
    assert.ok(result.isValid, JSON.stringify(result));
    const rules = result.config.rules.map(({ name, matcher: { type }, router }) => [name, type, router.plugin]);
    assert.deepEqual(rules, [
      ['office', 'source_ip', 'round_robin'],
      ['shop', 'sni', 'geo'],
      ['privileged', 'custom', 'geo'],
    ]);
  });

  it('has every kind of matcher', () => {
    for (const type of ['port', 'port_range', 'source_ip', 'destination_ip', 'sni', 'custom']) {
      assert.match(TEXT, new RegExp(`^\\| \`${type}\` `, 'm'));
    }
  });
});
