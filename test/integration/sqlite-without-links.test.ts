/** File systems without hard links: link(2) fails there, as it is made to here. */
import assert from 'node:assert/strict';
import fs, { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { dirname } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { createRoutingDatabase } from '../../src/adapters/outbound/sqlite/routing-schema.js';
import { SqliteRoutingRepository } from '../../src/adapters/outbound/sqlite/sqlite-routing-repository.js';
import { SAMPLE_BACKEND } from '../support/sample-backend.js';
import { scratchPath } from '../support/sqlite-scratch.js';

function failCall(t: TestContext, name: 'linkSync' | 'renameSync', code: string): void {
  const mock = t.mock.method(fs, name, () => {
    throw Object.assign(new Error(`${code}: operation not permitted`), { code });
  });
  syncBuiltinESMExports();
  t.after(() => {
    mock.mock.restore();
    syncBuiltinESMExports();
  });
}

for (const code of ['EPERM', 'ENOTSUP', 'EOPNOTSUPP']) {
  describe(`where link(2) fails with ${code}`, () => {
    it('a routing database is made whole, and no draft is left', async (t) => {
      failCall(t, 'linkSync', code);
      const path = scratchPath(t);
      assert.equal(createRoutingDatabase(path, [SAMPLE_BACKEND]), true);
      assert.deepEqual(readdirSync(dirname(path)), ['routing.db']);
      const repository = new SqliteRoutingRepository({ path, maxBackends: 10 });
      t.after(() => repository.close());
      assert.deepEqual((await repository.readIfChanged())?.backends, [SAMPLE_BACKEND]);
    });

    it('a file that is there already is left alone', (t) => {
      failCall(t, 'linkSync', code);
      const path = scratchPath(t);
      writeFileSync(path, 'somebody was faster');
      assert.equal(createRoutingDatabase(path), false);
      assert.equal(statSync(path).size, 'somebody was faster'.length);
      assert.deepEqual(readdirSync(dirname(path)), ['routing.db']);
    });

    it('nothing is left where the rest fails too', (t) => {
      failCall(t, 'linkSync', code);
      failCall(t, 'renameSync', 'EIO');
      const path = scratchPath(t);
      assert.throws(() => createRoutingDatabase(path), { code: 'EP_DB_UNWRITABLE', message: /EIO/ });
      assert.equal(existsSync(path), false);
      assert.deepEqual(readdirSync(dirname(path)), []);
    });
  });
}
