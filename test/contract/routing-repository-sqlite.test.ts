import { renameSync } from 'node:fs';
import { SqliteRoutingRepository } from '../../src/adapters/outbound/sqlite/sqlite-routing-repository.js';
import { createRoutingDatabase } from '../../src/adapters/outbound/sqlite/routing-schema.js';
import { execSql, scratchPath } from '../support/sqlite-scratch.js';
import { describeRoutingRepository } from './routing-repository-suite.js';
import type { RoutingSource } from './routing-repository-suite.js';

for (const journal of ['delete', 'wal'] as const) {
  describeRoutingRepository(`SqliteRoutingRepository (journal ${journal})`, (test): RoutingSource => {
    const path = scratchPath(test);
    createRoutingDatabase(path);
    execSql(path, `PRAGMA journal_mode = ${journal}`);
    return {
      open: () => new SqliteRoutingRepository({ path, maxBackends: 100 }),
      insert({ id, app, region, country, address, port, isHealthy, weight, softLimit, hardLimit }) {
        const texts = [id, app, region, country, address].map((text) => `'${text}'`);
        const numbers = [port, Number(isHealthy), weight, softLimit, hardLimit, 0];
        execSql(path, `INSERT INTO backends VALUES (${[...texts, ...numbers].join(', ')})`);
      },
      setWeight: (id, weight) => execSql(path, `UPDATE backends SET weight = ${weight} WHERE id = '${id}'`),
      remove: (id) => execSql(path, `UPDATE backends SET deleted = 1 WHERE id = '${id}'`),
      insertUnroutable(id) {
        execSql(path, `INSERT INTO backends VALUES ('${id}', '', '', '', '10.0.0.9', 0, 1, 1, 1, 1, 0)`);
      },
      goAway: () => renameSync(path, `${path}.away`),
      comeBack: () => renameSync(`${path}.away`, path),
    };
  });
}
