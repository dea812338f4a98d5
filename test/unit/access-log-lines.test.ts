/** The lines of the access log: what they say, and that nobody can forge one. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readAccessEntry, type AccessEntry } from '../../src/domain/access-log/access-entry.js';
import { ACCESS_FLAG, ACCESS_RECORD, NO_ACCESS_ERROR } from '../../src/domain/access-log/access-layout.js';
import { accessFormat, type AccessNames } from '../../src/domain/access-log/access-lines.js';
import { NamesInTime } from '../../src/domain/access-log/names-in-time.js';
import { BACKEND_ERRORS, END_REASONS, REJECT_REASONS } from '../../src/domain/shared/layout.js';

const NO_NAMES: AccessNames = { listener: () => null, rule: () => null, backend: () => null, country: () => null };
/** 2026-11-20T17:26:47.123456Z */
const ENDED_AT_US = Date.UTC(2026, 10, 20, 17, 26, 47, 123) * 1000 + 456;

const ENTRY: AccessEntry = {
  isUdp: false,
  beganUs: 1_000,
  routedUs: 1_214,
  connectedUs: 2_064,
  endedUs: 1_251_400,
  bytesReceived: 517,
  bytesSent: 48_213,
  datagramsReceived: 0,
  datagramsSent: 0,
  address: [0, 0, 0xffff, 0xcb007107 | 0],
  port: 51_234,
  listener: 3,
  rule: 2,
  slot: 4,
  end: 'client_closed',
  backendError: null,
  retries: 0,
  serverName: 'www.example.test',
};

function namesOf(names: Partial<Record<keyof AccessNames, string>>): AccessNames {
  const { listener = null, rule = null, backend = null, country = null } = names;
  return { listener: () => listener, rule: () => rule, backend: () => backend, country: () => country };
}

const NAMES = namesOf({ listener: 'web', rule: 'shop', backend: 'sa-1', country: 'BR' });
const OFFSET_US = ENDED_AT_US - ENTRY.endedUs;

function json(entry: AccessEntry, names = NAMES): Record<string, unknown> {
  const line = accessFormat('json')(entry, names, OFFSET_US);
  assert.ok(line.endsWith('}\n'));
  return JSON.parse(line) as Record<string, unknown>;
}

function wordsOf(fields: Partial<Record<keyof typeof ACCESS_RECORD, number>>): Uint32Array {
  const words = new Uint32Array(64);
  words[ACCESS_RECORD.ERROR] = NO_ACCESS_ERROR;
  for (const [name, value] of Object.entries(fields)) words[ACCESS_RECORD[name as keyof typeof ACCESS_RECORD]] = value;
  return words;
}

describe('a line of the access log', () => {
  it('is JSON in the form of the log, with everything that is known', () => {
    assert.deepEqual(json(ENTRY), {
      level: 'info',
      time: '2026-11-20T17:26:47.123Z',
      protocol: 'tcp',
      listener: 'web',
      client: '203.0.113.7',
      clientPort: 51_234,
      country: 'BR',
      serverName: 'www.example.test',
      rule: 'shop',
      backend: 'sa-1',
      end: 'client_closed',
      bytesReceived: 517,
      bytesSent: 48_213,
      routeMs: 0.214,
      connectMs: 0.85,
      totalMs: 1250.4,
      retries: 0,
      msg: 'connection',
    });
  });

  it('has the same fields in a fixed order in the combined format', () => {
    assert.equal(
      accessFormat('combined')(ENTRY, NAMES, OFFSET_US),
      '203.0.113.7:51234 BR [20/Nov/2026:17:26:47.123 +0000] tcp "web" "www.example.test" "shop" "sa-1" ' +
        'client_closed - 517 48213 - - 0.214 0.850 1250.400 0\n',
    );
  });

  it('leaves out, or marks with a dash, what there is nothing to tell of', () => {
    const rejected = { ...ENTRY, routedUs: 0, connectedUs: 0, serverName: '', slot: -1, end: 'rejected:shutdown' };
    const fields = Object.keys(json(rejected, NO_NAMES));
    for (const field of ['country', 'serverName', 'rule', 'backend', 'backendError', 'routeMs', 'connectMs'])
      assert.ok(!fields.includes(field), field);
    assert.equal(
      accessFormat('combined')(rejected, NO_NAMES, OFFSET_US),
      '203.0.113.7:51234 - [20/Nov/2026:17:26:47.123 +0000] tcp "-" "-" "-" "-" rejected:shutdown - 517 48213 - - - - 1250.400 0\n',
    );
  });

  it('tells of datagrams where it is of UDP, and puts IPv6 addresses into brackets before a port', () => {
    const address = [0x20010db8, 0, 0, 1] as const;
    const session: AccessEntry = { ...ENTRY, isUdp: true, datagramsReceived: 3, datagramsSent: 4, address };
    const { client, protocol, datagramsReceived, datagramsSent } = json(session);
    assert.deepEqual(
      { client, protocol, datagramsReceived, datagramsSent },
      { client: '2001:db8::1', protocol: 'udp', datagramsReceived: 3, datagramsSent: 4 },
    );
    assert.match(
      accessFormat('combined')(session, NAMES, OFFSET_US),
      /^\[2001:db8::1\]:51234 .* udp .* 517 48213 3 4 /,
    );
  });

  it('cannot be forged by any name', () => {
    const bytes = fc.uint8Array({ maxLength: 255 }).map((units) => String.fromCharCode(...units));
    fc.assert(
      fc.property(bytes, fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (serverName, rule, backend) => {
        const names = namesOf({ listener: rule, rule, backend });
        const parsed = json({ ...ENTRY, serverName }, names);
        if (serverName !== '') assert.equal(parsed['serverName'], serverName);
        assert.equal(parsed['rule'], rule);
        assert.equal(parsed['backend'], backend);
        for (const format of ['json', 'combined'] as const) {
          const line = accessFormat(format)({ ...ENTRY, serverName }, names, OFFSET_US);
          assert.match(line, /^[\x20-\x7e]*\n$/);
          if (format === 'combined')
            assert.match(
              line,
              /^\S+ \S+ \[[^\]]+\] tcp (?:"(?:[^"\\]|\\.)*" ){4}client_closed - 517 48213 - - \S+ \S+ \S+ 0\n$/,
            );
        }
      }),
    );
  });
});

describe('the end in a record of the access log', () => {
  it('is each reason of the layout by its name', () => {
    const ends = END_REASONS.map((_, reason) => readAccessEntry(wordsOf({ REASON: reason }), 0, '').end);
    assert.deepEqual(ends, ['backend_closed', ...END_REASONS.slice(1)]);
    const rejections = REJECT_REASONS.map((_, reason) => {
      return readAccessEntry(wordsOf({ REASON: reason, FLAGS: ACCESS_FLAG.REJECTED }), 0, '').end;
    });
    assert.deepEqual(
      rejections,
      REJECT_REASONS.map((reason) => `rejected:${reason}`),
    );
  });

  it('says which side has closed first, and whether connecting took too long', () => {
    const closed = wordsOf({ REASON: END_REASONS.indexOf('finished'), FLAGS: ACCESS_FLAG.CLIENT_FIRST });
    assert.equal(readAccessEntry(closed, 0, '').end, 'client_closed');
    const late = { REASON: REJECT_REASONS.indexOf('connect_failed'), FLAGS: ACCESS_FLAG.REJECTED };
    for (const [index, error] of BACKEND_ERRORS.entries()) {
      const entry = readAccessEntry(wordsOf({ ...late, ERROR: index }), 0, '');
      assert.equal(entry.end, error === 'timeout' ? 'connect_timeout' : 'rejected:connect_failed');
      assert.equal(entry.backendError, error);
    }
  });

  it('is a number where this build has no name for it', () => {
    assert.equal(readAccessEntry(wordsOf({ REASON: 99 }), 0, '').end, '99');
    assert.equal(readAccessEntry(wordsOf({ REASON: 99, FLAGS: ACCESS_FLAG.REJECTED }), 0, '').end, 'rejected:99');
  });
});

describe('names in time', () => {
  it('are those of the moment that is asked for, also after the number has got others', () => {
    const names = new NamesInTime();
    assert.equal(names.at(1, 10), null);
    for (const [index, text] of ['a', 'a', 'b', 'c'].entries()) names.add(1, text, index * 10);
    assert.deepEqual(
      [0, 19, 20, 29, 30, 1000].map((us) => names.at(1, us)),
      ['a', 'a', 'b', 'b', 'c', 'c'],
    );
  });

  it('keep the last four, and give the oldest of them for what is older', () => {
    const names = new NamesInTime();
    for (let time = 0; time < 100; time++) names.add(7, `name ${time}`, time);
    assert.deepEqual(
      [0, 96, 98, 99].map((us) => names.at(7, us)),
      ['name 96', 'name 96', 'name 98', 'name 99'],
    );
  });
});
