/** A geo database that was replaced must not stay in the workers' memory: a large one is a hundred megabytes. */
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../support/eventually.js';
import { startProxy } from '../support/proxy-process.js';
import { scratchDirectory } from '../support/scratch-directory.js';

const DATABASE = fileURLToPath(new URL('../../../shared/data/mmdb/GeoLite2-Country-Test.mmdb', import.meta.url));
const REPLACEMENTS = 6;

function mappedDatabases(pid: number): number {
  return readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .filter((line) => line.includes('memfd:edgeproxy-geo')).length;
}

it('workers unmap a geo database when another one has replaced it', { timeout: 60_000 }, async (t) => {
  const path = join(await scratchDirectory(t), 'country.mmdb');
  copyFileSync(DATABASE, path);
  const proxy = await startProxy(t, { env: { EDGEPROXY_GEOIP_PATH: path } });
  for (let i = 0; i < REPLACEMENTS; i++) {
    const inForce = proxy.log.next(({ msg }) => msg === 'geo database in force');
    copyFileSync(DATABASE, `${path}.new`);
    renameSync(`${path}.new`, path);
    proxy.signal('SIGHUP');
    await inForce;
  }
  for (const pid of proxy.workerPids) {
    await eventually('only the last one is mapped', () => mappedDatabases(pid) === 1);
  }
  assert.equal(proxy.workerPids.length, 2);
});
