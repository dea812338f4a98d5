/** docs/routers.md and the routers: whatever one has, the other has. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { ROUTER_PLUGINS, routerPlugin } from '../../src/domain/routing/router-plugins.js';

const TEXT = readFileSync(new URL('../../docs/routers.md', import.meta.url), 'utf8');

/** The cells of the table whose header has that cell. */
function rows(header: string): string[][] {
  const lines = TEXT.split('\n');
  const start = lines.findIndex((line) => cells(line).includes(header));
  assert.notEqual(start, -1, `no table of ${header}`);
  const length = lines.slice(start).findIndex((line) => !line.startsWith('|'));
  return lines.slice(start + 2, start + length).map(cells);
}

function cells(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

function plain(cell = ''): string {
  return cell.replaceAll('`', '');
}

describe('docs/routers.md', () => {
  it('has every plug-in with its options and its affinity', () => {
    const expected = ROUTER_PLUGINS.map(({ name, keys, hasAffinity }) => [
      name,
      keys.join(', '),
      hasAffinity ? 'on' : 'off',
    ]);
    const documented = rows('when').map(([name, , options, affinity]) => [plain(name), plain(options), affinity]);
    assert.deepEqual(documented, expected.sort());
  });

  it('has every option with the values that it takes and its default', () => {
    const documented = rows('values').map(([name, option]) => `${plain(name)} ${plain(option)}`);
    const expected = ROUTER_PLUGINS.flatMap(({ name, keys }) => keys.map((key) => `${name} ${key}`));
    assert.deepEqual(documented.sort(), expected.sort());
    for (const [name, option, values, fallback] of rows('values')) {
      const plugin = routerPlugin(plain(name));
      const refused = plugin?.parse({ [plain(option)]: { no: 'value' } });
      assert.ok(refused?.isValid === false, option);
      assert.match(refused.problems[0]?.expected ?? '', new RegExp(`^expected (one of )?${plain(values)}$`));
      const given: unknown = JSON.parse(plain(fallback));
      assert.deepEqual(plugin?.parse({ [plain(option)]: given }), plugin?.parse({}), `the default of ${option}`);
    }
  });
});
