import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BACKEND_COLUMNS, MAX_COUNT, readBackendRow } from '../../src/domain/backend-row.js';
import type { BackendColumn, BackendRow } from '../../src/domain/backend-row.js';
import { MAX_WARNINGS, readBackendTable } from '../../src/domain/backend-table.js';
import { SAMPLE_BACKEND } from '../support/sample-backend.js';

const SOUND = {
  id: 'sa-1',
  app: 'shop',
  region: 'sa',
  country: 'BR',
  wg_ip: '10.0.0.1',
  port: 8080,
  healthy: 1,
  weight: 2,
  soft_limit: 50,
  hard_limit: 80,
  deleted: 0,
  draining: 0,
} as const satisfies BackendRow;

const ALL_COLUMNS: ReadonlySet<BackendColumn> = new Set(BACKEND_COLUMNS);

function read(values: BackendRow) {
  return readBackendRow({ ...SOUND, ...values }, 3);
}

function without(...columns: BackendColumn[]): BackendRow {
  return Object.fromEntries(Object.entries(SOUND).filter(([column]) => !columns.some((gone) => gone === column)));
}

/** The one warning of a row and what became of the row. */
function onlyWarning(values: BackendRow) {
  const { backend, warnings } = read(values);
  assert.equal(warnings.length, 1, JSON.stringify(warnings));
  return { backend, warning: warnings[0] };
}

describe('a sound row', () => {
  it('becomes a backend without a warning', () => {
    assert.deepEqual(read({}), { backend: SAMPLE_BACKEND, warnings: [] });
  });

  it('may lack a country and the draining column', () => {
    const { backend, warnings } = read({ country: null, draining: undefined });
    assert.deepEqual(backend, { ...SAMPLE_BACKEND, country: '' });
    assert.deepEqual(warnings, []);
  });

  it('has its region in lower case, as the names of regions are', () => {
    assert.equal(read({ region: 'SA' }).backend?.region, 'sa');
    assert.deepEqual(read({ region: 'Lab-East' }).warnings, []);
  });

  it('has its country in upper case and its address in canonical form', () => {
    const { backend } = read({ country: 'br', wg_ip: '2001:DB8:0:0::1' });
    assert.deepEqual([backend?.country, backend?.address], ['BR', '2001:db8::1']);
    assert.equal(read({ wg_ip: '::ffff:10.0.0.9' }).backend?.address, '10.0.0.9');
  });

  it('may have the path of a Unix socket, and then any port or none', () => {
    for (const port of [8080, null, undefined, 0, 'x']) {
      const { backend, warnings } = read({ wg_ip: 'unix:/run/app/app.sock', port });
      assert.deepEqual([backend?.address, backend?.port, warnings], ['unix:/run/app/app.sock', 0, []]);
    }
  });

  it('counts a soft limit of 0 as 1 and keeps a hard limit and a weight of 0', () => {
    const { backend, warnings } = read({ soft_limit: 0, hard_limit: 0, weight: 0 });
    assert.deepEqual([backend?.softLimit, backend?.hardLimit, backend?.weight], [1, 0, 0]);
    assert.deepEqual(warnings, []);
  });
});

describe('a deleted row', () => {
  it('is left out silently, whatever else is wrong with it', () => {
    assert.deepEqual(read({ deleted: 1, id: null, wg_ip: 'nowhere', weight: -1 }), { backend: null, warnings: [] });
    assert.deepEqual(read({ deleted: 'true' }), { backend: null, warnings: [] });
  });
});

describe('a value that is wrong', () => {
  const cases: [BackendRow, BackendColumn, Partial<typeof SAMPLE_BACKEND>, RegExp][] = [
    [{ app: null }, 'app', { app: '' }, /^is NULL; taken as empty$/],
    [{ app: 7 }, 'app', { app: '' }, /^is the number 7, expected text/],
    [{ app: Buffer.from('x') }, 'app', { app: '' }, /^is binary data/],
    [{ region: 'sa\n' }, 'region', { region: '' }, /^"sa\\n" holds unprintable characters/],
    [{ region: 'x'.repeat(256) }, 'region', { region: '' }, /longer than 255/],
    [{ country: 'BRA' }, 'country', { country: '' }, /"BRA" is not a two-letter/],
    [{ country: 'ß' }, 'country', { country: '' }, /"\\u00df" is not/],
    [{ healthy: null }, 'healthy', { isHealthy: true }, /^is NULL; taken as 1$/],
    [{ healthy: 2 }, 'healthy', { isHealthy: true }, /^is the number 2, expected 0 or 1; taken as 1$/],
    [{ healthy: 'False' }, 'healthy', { isHealthy: false }, /^is the text "false"; taken as 0$/],
    [{ healthy: 'maybe' }, 'healthy', { isHealthy: true }, /"maybe", expected 0 or 1/],
    [{ draining: 'true' }, 'draining', { isDraining: true }, /taken as 1/],
    [{ deleted: 'no' }, 'deleted', {}, /taken as 0$/],
    [{ weight: null }, 'weight', { weight: 1 }, /^is NULL; taken as 1$/],
    [{ weight: -1 }, 'weight', { weight: 1 }, /^-1 is negative; taken as 1$/],
    [{ weight: 1.5 }, 'weight', { weight: 1 }, /number 1.5, expected a whole number/],
    [{ soft_limit: '50' }, 'soft_limit', { softLimit: 100 }, /text "50", expected a whole number; taken as 100/],
    [{ hard_limit: Infinity }, 'hard_limit', { hardLimit: 150 }, /number Infinity/],
    [{ hard_limit: 2 ** 31 }, 'hard_limit', { hardLimit: MAX_COUNT }, /too large; taken as 2147483647/],
    [{ hard_limit: 2n ** 63n }, 'hard_limit', { hardLimit: MAX_COUNT }, /too large/],
  ];
  for (const [values, column, changed, reason] of cases) {
    const [given] = Object.values(values);
    it(`costs the row its default: ${column} = ${String(given).slice(0, 20)}`, () => {
      const { backend, warning } = onlyWarning(values);
      assert.deepEqual(backend, { ...SAMPLE_BACKEND, ...changed });
      assert.deepEqual({ ...warning, reason: '' }, { row: 'sa-1', column, reason: '', isSkipped: false });
      assert.match(warning?.reason ?? '', reason);
    });
  }
});

describe('a row that cannot be routed', () => {
  const cases: [BackendRow, BackendColumn, RegExp][] = [
    [{ id: null }, 'id', /^is NULL; the row is left out$/],
    [{ id: '' }, 'id', /^is empty/],
    [{ id: 7 }, 'id', /^is the number 7, expected text/],
    [{ id: 'a\x1b[2Jb' }, 'id', /^"a\\u001b\[2Jb" holds unprintable/],
    [{ id: 'a\u202eb' }, 'id', /^"a\\u202eb" holds unprintable/],
    [{ id: 'x'.repeat(256) }, 'id', /longer than 255/],
    [{ wg_ip: null }, 'wg_ip', /^is NULL/],
    [{ wg_ip: '' }, 'wg_ip', /^"" is not an IPv4 or IPv6 address/],
    [{ wg_ip: 'unix:app.sock' }, 'wg_ip', /^"unix:app.sock" is not unix: and an absolute path/],
    [{ wg_ip: 'unix:' }, 'wg_ip', /is not unix: and an absolute path/],
    [{ wg_ip: 'unix:/run/' }, 'wg_ip', /is the path of a directory/],
    [{ wg_ip: 'unix:/run/a\nb' }, 'wg_ip', /holds unprintable characters/],
    [{ wg_ip: `unix:/${'é'.repeat(54)}` }, 'wg_ip', /has a path of 109 bytes, and a Unix socket at most 107/],
    [{ wg_ip: 'backend.example' }, 'wg_ip', /"backend.example" is not/],
    [{ wg_ip: '10.0.0.1/32' }, 'wg_ip', /is not an IPv4 or IPv6/],
    [{ wg_ip: '0.0.0.0' }, 'wg_ip', /unspecified/],
    [{ wg_ip: '::' }, 'wg_ip', /unspecified/],
    [{ wg_ip: '224.0.0.1' }, 'wg_ip', /multicast/],
    [{ wg_ip: 'ff02::1' }, 'wg_ip', /multicast/],
    [{ wg_ip: '255.255.255.255' }, 'wg_ip', /broadcast/],
    [{ wg_ip: 'febf::1' }, 'wg_ip', /link-local/],
    [{ port: null }, 'port', /^is NULL/],
    [{ port: 0 }, 'port', /^0 is not from 1 to 65535/],
    [{ port: 65_536 }, 'port', /^65536 is not/],
    [{ port: -1 }, 'port', /^-1 is not/],
    [{ port: 80.5 }, 'port', /number 80.5, expected a whole number/],
    [{ port: 'http' }, 'port', /text "http"/],
  ];
  for (const [values, column, reason] of cases) {
    const [given] = Object.values(values);
    it(`is left out alone: ${column} = ${JSON.stringify(given).slice(0, 20)}`, () => {
      const { backend, warning } = onlyWarning(values);
      assert.equal(backend, null);
      const row = column === 'id' ? 'row 3' : 'sa-1';
      assert.deepEqual({ ...warning, reason: '' }, { row, column, reason: '', isSkipped: true });
      assert.match(warning?.reason ?? '', reason);
    });
  }

  it('shows no more than the start of a long value', () => {
    const { warning } = onlyWarning({ wg_ip: '1'.repeat(100_000) });
    assert.ok((warning?.reason.length ?? 0) < 150);
  });
});

describe('a table', () => {
  it('keeps the first of rows with the same id and names the others', () => {
    const rows = [SOUND, { ...SOUND, port: 1 }, { ...SOUND, id: 'eu-1' }];
    const { backends, warnings } = readBackendTable(rows, ALL_COLUMNS, 10);
    assert.deepEqual(
      backends.map(({ id, port }) => [id, port]),
      [
        ['sa-1', 8080],
        ['eu-1', 8080],
      ],
    );
    const reason = 'an earlier row has the same id; row 2 is left out';
    assert.deepEqual(warnings, [{ row: 'sa-1', column: 'id', reason, isSkipped: true }]);
  });

  it('takes the second of two rows with the same id where the first cannot be routed', () => {
    const { backends } = readBackendTable([{ ...SOUND, port: 0 }, SOUND], ALL_COLUMNS, 10);
    assert.deepEqual(backends, [SAMPLE_BACKEND]);
  });

  it('warns once of a column that it lacks, not once per row', () => {
    const rest = without('weight', 'region');
    const columns = new Set(BACKEND_COLUMNS.filter((column) => column !== 'weight' && column !== 'region'));
    const { backends, warnings } = readBackendTable([rest, { ...rest, id: 'b' }], columns, 10);
    assert.deepEqual(
      backends.map(({ region, weight }) => [region, weight]),
      [
        ['', 1],
        ['', 1],
      ],
    );
    assert.deepEqual(
      warnings.map(({ row, column, isSkipped }) => [row, column, isSkipped]),
      [
        ['every row', 'region', false],
        ['every row', 'weight', false],
      ],
    );
  });

  it('says nothing of a missing draining column', () => {
    const columns = new Set(BACKEND_COLUMNS.filter((column) => column !== 'draining'));
    const rest = without('draining');
    assert.deepEqual(readBackendTable([rest], columns, 10), { backends: [SAMPLE_BACKEND], warnings: [] });
  });

  it('routes nothing where it lacks the column of the address, and says so once', () => {
    const rest = without('wg_ip');
    const columns = new Set(BACKEND_COLUMNS.filter((column) => column !== 'wg_ip'));
    const { backends, warnings } = readBackendTable([rest, { ...rest, id: 'b' }], columns, 10);
    assert.deepEqual(backends, []);
    assert.deepEqual(
      warnings.map(({ row, column, isSkipped }) => [row, column, isSkipped]),
      [['every row', 'wg_ip', true]],
    );
  });

  it('stops at the most backends with one warning and without reading on', () => {
    let taken = 0;
    function* rows() {
      for (;;) yield { ...SOUND, id: `b${taken++}` };
    }
    const { backends, warnings } = readBackendTable(rows(), ALL_COLUMNS, 5);
    assert.equal(backends.length, 5);
    assert.equal(taken, 6);
    assert.deepEqual(
      warnings.map(({ row, isSkipped }) => [row, isSkipped]),
      [['row 6', true]],
    );
    assert.match(warnings[0]?.reason ?? '', /more than 5 backends/);
  });

  it('does not count deleted and unroutable rows as backends', () => {
    const rows = [{ ...SOUND, deleted: 1 }, { ...SOUND, id: 'x', port: 0 }, SOUND];
    assert.deepEqual(readBackendTable(rows, ALL_COLUMNS, 1).backends, [SAMPLE_BACKEND]);
  });

  it('bounds its warnings, counts the rest, and still says where it stopped', () => {
    const bad = Array.from({ length: MAX_WARNINGS + 20 }, () => ({ ...SOUND, port: 0 }));
    const { warnings } = readBackendTable([...bad, SOUND, { ...SOUND, id: 'b' }], ALL_COLUMNS, 1);
    assert.equal(warnings.length, MAX_WARNINGS + 2);
    assert.match(warnings.at(-2)?.reason ?? '', /^20 more warnings/);
    assert.match(warnings.at(-1)?.reason ?? '', /more than 1 backends/);
  });
});

describe('what a row overrides', () => {
  const ALL = {
    health_port: 9090,
    health_interval_secs: 0.5,
    health_type: 'HTTP',
    health_path: '/up?deep=1',
    drain_timeout_secs: 0,
  };
  const OVERRIDES = {
    healthPort: 9090,
    healthIntervalSecs: 0.5,
    healthType: 'http',
    healthPath: '/up?deep=1',
    drainTimeoutSecs: 0,
  };

  it('is read, also where it comes as a bigint', () => {
    assert.deepEqual(read(ALL), { backend: { ...SAMPLE_BACKEND, overrides: OVERRIDES }, warnings: [] });
    assert.deepEqual(read({ health_port: 9090n }).backend?.overrides, { healthPort: 9090 });
  });

  it('is nothing where the columns are NULL or missing', () => {
    const nothing = Object.fromEntries(Object.keys(ALL).map((column) => [column, null]));
    assert.deepEqual(read(nothing), { backend: SAMPLE_BACKEND, warnings: [] });
  });

  const wrong: BackendRow[] = [
    ...[0, 65_536, 80.5, '80', NaN].map((value) => ({ health_port: value })),
    ...[0, 0.09, -1, 86_401, Infinity, '5'].map((value) => ({ health_interval_secs: value })),
    ...['', 'udp', 1].map((value) => ({ health_type: value })),
    ...['', 'up', '/a b', '/\n', `/${'a'.repeat(1024)}`, 1, Buffer.from('/')].map((value) => ({ health_path: value })),
    ...[-1, 2_592_001, 'never'].map((value) => ({ drain_timeout_secs: value })),
  ];
  for (const values of wrong) {
    it(`is nothing, with a warning, for ${JSON.stringify(values).slice(0, 60)}`, () => {
      const { backend, warning } = onlyWarning(values);
      assert.deepEqual(backend, SAMPLE_BACKEND);
      assert.equal(warning?.column, Object.keys(values)[0]);
      assert.match(warning?.reason ?? '', /expected .*; taken as NULL$/);
    });
  }
});
