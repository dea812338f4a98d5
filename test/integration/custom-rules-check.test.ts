/** Files of custom rules are loaded before anybody relies on them: what is wrong with one is said with its place. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { readConfigFile } from '../../src/adapters/inbound/config/config-file.js';
import { scratchDirectory, type Owner } from '../support/scratch-directory.js';

const EXPECTED = 'its default export has to be a function (config) => (client) => boolean';

async function problemsOf(owner: Owner, sources: readonly string[]): Promise<string[]> {
  const directory = await scratchDirectory(owner);
  const rules = sources.map((source, index) => {
    const file = join(directory, `m${index}.mjs`);
    writeFileSync(file, source);
    return `[[rules]]\nname = "r${index}"\nprotocol = "tcp"\napp = "a"\nmatcher = { type = "custom", file = "${file}" }\n`;
  });
  const path = join(directory, 'a.toml');
  writeFileSync(path, rules.join(''));
  const { structures } = await readConfigFile(path);
  return (structures?.problems ?? []).map((problem) => problem.replaceAll(`${directory}/`, ''));
}

describe('files of custom rules', { timeout: 300_000 }, () => {
  it('may make any function', async (t) => {
    assert.deepEqual(await problemsOf(t, ['export default () => () => true;']), []);
  });

  it('are refused where they make none, with file, line and key', async (t) => {
    const problems = await problemsOf(t, [
      'export const match = () => true;',
      'export default 7;',
      'export default () => true;',
      'export default () => () => true;',
      'export default (',
      'export default () => { throw new Error("no\\u0007 config"); };',
      'export default () => ({});',
    ]);
    assert.deepEqual(problems, [
      `a.toml:5: rules[0].matcher: m0.mjs exports nothing by default; ${EXPECTED}`,
      `a.toml:10: rules[1].matcher: m1.mjs exports a number by default; ${EXPECTED}`,
      `a.toml:15: rules[2].matcher: m2.mjs makes a boolean of its config; ${EXPECTED}`,
      `a.toml:25: rules[4].matcher: m4.mjs cannot be loaded: Unexpected end of input`,
      `a.toml:30: rules[5].matcher: m5.mjs cannot be loaded: no\\u{7} config`,
      `a.toml:35: rules[6].matcher: m6.mjs makes an object of its config; ${EXPECTED}`,
    ]);
  });

  it('are refused where they end the process or never come to an end, and the next are looked at all the same', async (t) => {
    const problems = await problemsOf(t, [
      'process.exit(0);',
      'for (;;);',
      'setTimeout(() => { throw new Error("later"); }); await new Promise(() => undefined);',
      'export default () => () => true;',
      'export default null;',
    ]);
    assert.deepEqual(problems, [
      'a.toml:5: rules[0].matcher: m0.mjs ends the process that loads it',
      'a.toml:10: rules[1].matcher: m1.mjs does not end loading within 5 s',
      'a.toml:15: rules[2].matcher: m2.mjs fails: later',
      `a.toml:25: rules[4].matcher: m4.mjs exports null by default; ${EXPECTED}`,
    ]);
  });
});
