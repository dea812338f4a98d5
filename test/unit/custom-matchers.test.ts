/** A function of a custom rule that cannot be loaded at first. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { CustomMatchers } from '../../src/cluster/custom-matchers.js';
import type { RuleClient } from '../../src/domain/rules/rule-client.js';
import { eventually } from '../support/eventually.js';
import { compiledRule } from '../support/rules-rig.js';
import { scratchDirectory } from '../support/scratch-directory.js';

const CLIENT: RuleClient = {
  address: '192.0.2.1',
  port: 1,
  listener: 'l',
  protocol: 'tcp',
  destination: '',
  isTls: false,
  serverName: '',
  alpn: [],
};
const MODULE = `
import { existsSync } from 'node:fs';
if (!existsSync(new URL('./allowed', import.meta.url))) throw new Error('not yet');
export default () => () => true;
`;

describe('a function that cannot be loaded', () => {
  it('matches nobody, is tried again ever later, and matches from when it is there', async (t) => {
    const directory = await scratchDirectory(t);
    const file = join(directory, 'matcher.mjs');
    writeFileSync(file, MODULE);
    const rule = { ...compiledRule({ name: 'r' }, 0), matcher: { file, revision: '1', config: {} } };
    const reasons: unknown[] = [];
    const waits: { readonly action: () => void; readonly delayMs: number }[] = [];
    const matchers = new CustomMatchers(
      (_, reason) => reasons.push(reason),
      (action, delayMs) => {
        waits.push({ action, delayMs });
        return () => undefined;
      },
    );
    await matchers.load([rule]);
    assert.equal(matchers.has([rule]), true, 'its worker is held up by it');
    const matcher = matchers.of(rule);
    assert.equal(matcher?.(CLIENT), false);
    waits[0]?.action();
    await eventually('it has failed once more', () => waits.length === 2);
    assert.deepEqual(
      waits.map(({ delayMs }) => delayMs),
      [1000, 2000],
    );
    assert.equal(reasons.length, 2);
    writeFileSync(join(directory, 'allowed'), '');
    waits[1]?.action();
    await eventually('it matches', () => matcher(CLIENT) === true);
    assert.equal(matchers.of(rule)?.(CLIENT), true);
    assert.deepEqual([reasons.length, waits.length], [2, 2]);
  });

  it('is tried no more once no rule has it', async (t) => {
    const file = join(await scratchDirectory(t), 'none.mjs');
    const rule = { ...compiledRule({ name: 'r' }, 0), matcher: { file, revision: '1', config: {} } };
    const actions: (() => void)[] = [];
    const reasons: unknown[] = [];
    const matchers = new CustomMatchers(
      (_, reason) => reasons.push(reason),
      (action) => {
        actions.push(action);
        return () => undefined;
      },
    );
    await matchers.load([rule]);
    matchers.keepOnly([]);
    actions[0]?.();
    // Another one takes as long as a try would.
    await matchers.load([{ ...rule, matcher: { file, revision: '2', config: {} } }]);
    assert.equal(reasons.length, 2);
  });
});
