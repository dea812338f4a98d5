import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { byteExchange, httpExchange, type Exchange, type Verdict } from '../../src/domain/health/exchange.js';
import { fc } from '../support/fast-check.js';

const STATUSES = [
  { first: 200, last: 204 },
  { first: 301, last: 301 },
];
const http = httpExchange('10.0.0.1:80', '/health', STATUSES);

/** The first verdict when the answer comes in the given pieces, which may be one character each. */
function verdictOf(exchange: Exchange, answer: string, cuts: readonly number[] = []): Verdict | null {
  for (const cut of [...cuts].sort((one, other) => one - other)) {
    const verdict = exchange.judge(answer.slice(0, cut), false);
    if (verdict !== null) return verdict;
  }
  return exchange.judge(answer, false) ?? exchange.judge(answer, true);
}

function reasonOf(exchange: Exchange, answer: string): string {
  const verdict = verdictOf(exchange, answer);
  return verdict === null ? 'none' : verdict.isUp ? 'up' : verdict.reason;
}

const status = fc.integer({ min: 200, max: 599 });
const field = fc.stringMatching(/^[A-Za-z-]{1,10}: [\x20-\x7e]{0,20}$/);
const newline = fc.constantFrom('\r\n', '\n');
const interim = fc.constantFrom('', 'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n');
const answer = fc
  .tuple(interim, fc.constantFrom('0', '1'), status, fc.array(field, { maxLength: 5 }), newline, fc.string())
  .map(([before, minor, code, fields, end, body]) => ({
    code,
    text: `${before}${[`HTTP/1.${minor} ${code} Why not`, ...fields, '', ''].join(end)}${body}`,
  }));

describe('an http check', () => {
  it('asks as HTTP/1.1 wants it', () => {
    assert.equal(
      httpExchange('[::1]:81', '/up?deep=1', STATUSES).request,
      'GET /up?deep=1 HTTP/1.1\r\nHost: [::1]:81\r\nUser-Agent: edgeproxy\r\nAccept: */*\r\nConnection: close\r\n\r\n',
    );
  });

  it('goes by the final status, wherever the answer is cut', () => {
    fc.assert(
      fc.property(answer, fc.array(fc.nat(200), { maxLength: 10 }), ({ code, text }, cuts) => {
        const isUp = (code >= 200 && code <= 204) || code === 301;
        const expected = isUp ? { isUp } : { isUp, reason: `status ${code}` };
        assert.deepEqual(
          verdictOf(
            http,
            text,
            cuts.map((cut) => cut % text.length),
          ),
          expected,
        );
      }),
    );
  });

  it('wants the whole head and nothing of the body', () => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n';
    for (let cut = 0; cut < head.length; cut++) assert.equal(http.judge(head.slice(0, cut), false), null);
    assert.deepEqual(http.judge(head, false), { isUp: true });
    assert.equal(reasonOf(http, head.slice(0, -1)), 'closed in the middle of the answer');
  });

  it('is failed by what is no answer, as soon as that is clear', () => {
    assert.equal(reasonOf(http, ''), 'closed without an answer');
    for (const text of ['SSH-2.0-x\r\n', '\r\nHTTP/1.1 200 OK\r\n\r\n', 'HTTP/2 200\r\n\r\n', 'h'])
      assert.deepEqual(http.judge(text, false), { isUp: false, reason: 'the answer is not HTTP' });
    for (const text of [
      'HTTP/1.1 20 OK\r\n\r\n',
      'HTTP/1.1 2000\r\n\r\n',
      'HTTP/1.1\r\n\r\n',
      'HTTP/1.1 200 OK\r\r\n\r\n',
    ])
      assert.equal(reasonOf(http, text), 'the answer is not HTTP');
    assert.equal(reasonOf(http, 'HTTP/1.1 100 Continue\r\n\r\nnonsense'), 'the answer is not HTTP');
  });

  it('never throws, and tells nothing of an answer but its status', () => {
    const KNOWN = /^(up|none|status [1-5]\d\d|closed .*|the answer is not HTTP)$/;
    const piece = fc.constantFrom('HTTP/1.1 ', '200', ' OK', '\r\n', '\n', '\r', 'x: y', '100', '\0');
    const text = fc.oneof(
      fc.string({ unit: 'binary-ascii' }),
      fc.array(piece).map((pieces) => pieces.join('')),
    );
    fc.assert(
      fc.property(text, (it) => assert.match(reasonOf(http, it), KNOWN)),
      { numRuns: 1000 },
    );
  });
});

describe('a tcp check that expects bytes', () => {
  it('finds them anywhere in the answer, wherever that is cut', () => {
    const bytes = fc.string({ unit: 'binary-ascii', maxLength: 20 });
    fc.assert(
      fc.property(bytes, fc.string({ minLength: 1, maxLength: 5 }), bytes, fc.array(fc.nat(40)), (a, text, b, cuts) => {
        assert.deepEqual(verdictOf(byteExchange('x', text), a + text + b, cuts), { isUp: true });
      }),
    );
  });

  it('is failed where they do not come', () => {
    assert.equal(reasonOf(byteExchange('', '+PONG'), '-ERR\r\n'), 'answered, but not "+PONG"');
    assert.equal(reasonOf(byteExchange('', '+PONG'), ''), 'closed without an answer');
    assert.equal(byteExchange('', '+PONG').judge('+PON', false), null);
  });

  it('takes any answer where it expects none in particular', () => {
    assert.equal(byteExchange('PING', '').judge('', false), null);
    assert.deepEqual(byteExchange('PING', '').judge('?', false), { isUp: true });
    assert.equal(reasonOf(byteExchange('PING', ''), ''), 'closed without an answer');
  });
});
