/** What a routing database's author has written into its schema reaches no terminal as it is. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BackendEditor } from '../../src/adapters/outbound/sqlite/backend-editor.js';
import { foreignMessage } from '../../src/adapters/outbound/foreign-message.js';
import { SqliteRoutingRepository } from '../../src/adapters/outbound/sqlite/sqlite-routing-repository.js';
import { EdgeproxyError } from '../../src/domain/edgeproxy-error.js';
import { execSql, scratchPath } from '../support/sqlite-scratch.js';

const HOSTILE = '\u001b[2J\u009b2J\u202eevil\nline';
const ESCAPED = String.raw`\u{1b}[2J\u{9b}2J\u{202e}evil\u{a}line`;

function isEscaped(error: unknown): true {
  assert.ok(error instanceof EdgeproxyError, String(error));
  assert.ok(error.message.includes(ESCAPED), error.message);
  assert.doesNotMatch(error.message, /\p{C}/u);
  assert.doesNotMatch(JSON.stringify(error.context), /\\u00|\p{C}/u);
  return true;
}

describe("a hostile schema's text", () => {
  it('is escaped in the failure of a reading and of an edit', async (t) => {
    const path = scratchPath(t);
    execSql(path, `CREATE VIEW backends AS SELECT * FROM "${HOSTILE}"`);
    const repository = new SqliteRoutingRepository({ path, maxBackends: 10 });
    t.after(() => repository.close());
    await assert.rejects(repository.readIfChanged(), isEscaped);
    await assert.rejects(repository.readIfChanged(), isEscaped);
    const editor = BackendEditor.open(path, { mayCreate: false });
    t.after(() => editor.close());
    assert.throws(() => editor.rows(), isEscaped);
  });
});

describe('foreignMessage', () => {
  it('escapes what is unprintable, cuts what is long, and takes what is no error', () => {
    assert.equal(foreignMessage(new Error(HOSTILE)), ESCAPED);
    assert.equal(foreignMessage(new Error('x'.repeat(1000))), `${'x'.repeat(500)}…`);
    assert.equal(foreignMessage('São Paulo'), 'São Paulo');
    assert.equal(foreignMessage('\ud83d'), String.raw`\u{d83d}`);
  });
});
