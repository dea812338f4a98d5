/** docs/api.md: its tables are the code's. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { API_ERRORS } from '../../src/adapters/inbound/api/api-error.js';
import { errorsOf } from '../../src/adapters/inbound/api/openapi.js';
import { allEndpoints, type ApiPorts } from '../../src/adapters/inbound/api/routes/all-endpoints.js';

const TEXT = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8');
/** Which every endpoint has; the text says so once. */
const EVERYWHERE = ['forbidden', 'rate_limited', 'internal', 'unauthorized'];

/** The rows of the table whose header starts with `header`, without its rule. */
function tableRows(header: string): string[][] {
  const rows = TEXT.split('\n').map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  const start = rows.findIndex(([first]) => first === header);
  assert.notEqual(start, -1, header);
  const length = rows.slice(start).findIndex((row) => row.length === 0);
  return rows.slice(start + 2, start + length);
}

describe('docs/api.md', () => {
  it('has every endpoint with what it does and how it fails', () => {
    const expected = allEndpoints({} as ApiPorts).map((each) => [
      `\`${each.method} ${each.path}\``,
      each.summary,
      errorsOf(each)
        .filter((code) => !EVERYWHERE.includes(code))
        .join(', '),
    ]);
    assert.deepEqual(tableRows('endpoint'), expected);
  });

  it('has every error with its status and meaning', () => {
    const expected = Object.entries(API_ERRORS).map(([code, { status, meaning }]) => [
      `\`${code}\``,
      String(status),
      meaning,
    ]);
    assert.deepEqual(tableRows('code'), expected);
  });
});
