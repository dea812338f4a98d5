import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatListenAddress, listenAddresses } from '../../src/adapters/inbound/config/listen-address.js';
import { loadConfig } from '../../src/adapters/inbound/config/load-config.js';
import { editDistance } from '../../src/adapters/inbound/config/nearest-name.js';
import { quoteValue } from '../../src/adapters/inbound/config/quote-value.js';
import { SETTINGS, SETTING_KEYS } from '../../src/adapters/inbound/config/settings.js';
import { seconds, wholeNumber } from '../../src/adapters/inbound/config/value-parser.js';
import { fc } from '../support/fast-check.js';

const anyText = fc.string({ unit: 'binary', maxLength: 200 });

describe('parsers of settings', () => {
  it('accept exactly the decimal spelling of the whole numbers in their range', () => {
    const parser = wholeNumber(5, 5000);
    fc.assert(
      fc.property(fc.integer({ min: -10, max: 6000 }), (value) => {
        assert.equal(parser.parse(String(value)).isValid, value >= 5 && value <= 5000);
      }),
    );
    fc.assert(
      fc.property(anyText, (text) => {
        const parsed = parser.parse(text);
        if (parsed.isValid) assert.equal(String(parsed.value), text);
      }),
    );
  });

  it('read seconds to the millisecond', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 86_400_000 }), (millis) => {
        const parsed = seconds(0, 86_400).parse(String(millis / 1000));
        assert.ok(parsed.isValid);
        assert.equal(Math.round(parsed.value * 1000), millis);
      }),
    );
  });

  it('answer every text with a value or a refusal, and never throw', () => {
    fc.assert(
      fc.property(fc.constantFrom(...SETTING_KEYS), anyText, (key, text) => {
        const env = { [SETTINGS[key].variable]: text };
        const result = loadConfig({ env, flags: {}, isDemo: false, host: { cpuCount: 2, isTerminal: false } });
        if (result.isValid) return;
        assert.equal(result.problems.length, 1);
        assert.ok(result.problems[0]?.startsWith(`${SETTINGS[key].variable}: `));
        assert.doesNotMatch(result.problems[0] ?? '', /\p{Cc}/u);
      }),
      { numRuns: 500 },
    );
  });

  it('read back every listen address they have written', () => {
    const address = fc.record({ address: fc.oneof(fc.ipV4(), fc.ipV6()), port: fc.integer({ min: 1, max: 65_535 }) });
    fc.assert(
      fc.property(address, (written) => {
        const first = listenAddresses.parse(formatListenAddress(written));
        assert.ok(first.isValid);
        const text = first.value.map(formatListenAddress).join(',');
        assert.deepEqual(listenAddresses.parse(text), first);
        assert.equal(first.value[0]?.port, written.port);
      }),
    );
  });
});

describe('quoteValue', () => {
  it('shows any text in a bounded number of printable characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 1000 }), (text) => {
        const quoted = quoteValue(text);
        assert.doesNotMatch(quoted, /[\p{C}\p{Zl}\p{Zp}]/u);
        assert.ok(quoted.length <= 60 * 10 + 3);
      }),
    );
  });

  it('leaves ordinary text as it is', () => {
    assert.equal(quoteValue('Zürich 10.0.0.1:80'), '"Zürich 10.0.0.1:80"');
    assert.equal(quoteValue('x'.repeat(61)), `"${'x'.repeat(60)}…"`);
  });
});

describe('editDistance', () => {
  it('is symmetric, zero only between equals and never above the longer length', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', '_'), maxLength: 12 });
    fc.assert(
      fc.property(word, word, (one, other) => {
        const distance = editDistance(one, other);
        assert.equal(distance, editDistance(other, one));
        assert.equal(distance === 0, one === other);
        assert.ok(distance <= Math.max(one.length, other.length));
      }),
    );
  });
});
