import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CREATE_BACKENDS } from '../../src/adapters/outbound/sqlite/routing-schema.js';
import { backendCommand } from '../../src/cli/backend-command.js';
import { isOverride } from '../../src/domain/backend-overrides.js';
import { BACKEND_COLUMNS, BACKEND_DEFAULTS } from '../../src/domain/backend-row.js';
import { MAX_ROWS, MAX_WARNINGS } from '../../src/domain/backend-table.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const page = readFileSync(`${ROOT}docs/routing-database.md`, 'utf8');

/** Cells of the table under a heading, without its head and rule. */
function tableUnder(heading: string): string[][] {
  const section = page.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('| '));
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

function plain(cell: string | undefined): string {
  return cell?.replaceAll('`', '') ?? '';
}

describe('docs/routing-database.md', () => {
  it('shows the schema that is created', () => {
    assert.ok(page.includes(CREATE_BACKENDS));
  });

  it('lists the columns with their defaults', () => {
    const defaults = BACKEND_COLUMNS.map((column): [string, string] => {
      if (column === 'id' || column === 'wg_ip' || column === 'port') return [column, 'none: the row is left out'];
      if (isOverride(column)) return [column, 'NULL: the setting'];
      return [column, String(BACKEND_DEFAULTS[column]) || 'empty'];
    });
    assert.deepEqual(
      tableUnder('Schema').map(([column, , fallback]) => [plain(column), fallback]),
      defaults,
    );
  });

  it('states the bounds of a reading', () => {
    assert.ok(page.includes(`more than ${MAX_ROWS.toLocaleString('en')} rows`));
    assert.ok(page.includes(`At most ${MAX_WARNINGS} warnings`));
  });

  it('lists every command and option', () => {
    const { commands } = backendCommand();
    const documented = tableUnder('Editing it').map(([command]) => plain(command).split(' ')[0]);
    assert.deepEqual(
      documented,
      commands.map((command) => command.name()),
    );
    for (const { long } of commands.flatMap((command) => command.options)) assert.ok(page.includes(long ?? '--'));
  });
});
