/** Lists of who may come in: networks and countries, comma-separated; every wrong entry is named, not the first alone. */
import { formatCidr, parseCidr } from '../../../domain/cidr.js';
import { regionTable } from '../../../domain/regions.js';
import { quoteValue } from './quote-value.js';
import type { Parsed, ValueParser } from './value-parser.js';

/** What stands for an empty list. */
export const NO_ENTRIES = 'none';
const MOST_NETWORKS = 100_000;
/** As many as there are codes. */
const MOST_COUNTRIES = 676;
/** Wrong entries that are named; more would bury the message. */
const MOST_NAMED = 20;

export const networks = listOf(
  `addresses and networks such as 192.0.2.0/24 or 2001:db8::/32, comma-separated, at most ${MOST_NETWORKS}, or ${NO_ENTRIES}`,
  MOST_NETWORKS,
  (text) => {
    const parsed = parseCidr(text);
    return parsed.isValid
      ? { isValid: true, value: formatCidr(parsed.cidr) }
      : { isValid: false, reason: parsed.reason };
  },
);

/** Of a country that there is; in upper case. */
export const country: ValueParser<string> = {
  expected: 'a country code of ISO 3166-1 such as BR',
  parse(text) {
    const code = text.toUpperCase();
    return regionTable().has(code) ? { isValid: true, value: code } : { isValid: false };
  },
};

export const countries = listOf(
  `country codes of ISO 3166-1 such as BR, comma-separated, or ${NO_ENTRIES}`,
  MOST_COUNTRIES,
  (text) => {
    const parsed = country.parse(text);
    return parsed.isValid ? parsed : { isValid: false, reason: 'is not the code of a country' };
  },
);

/** The reason of a wrong entry completes its name. */
function listOf(
  expected: string,
  most: number,
  parseEntry: (text: string) => Parsed<string>,
): ValueParser<readonly string[]> {
  return {
    expected,
    isList: true,
    parse(text) {
      // Nothing is what an empty array of the configuration file becomes.
      if (text === '' || text.toLowerCase() === NO_ENTRIES) return { isValid: true, value: [] };
      const entries = text.split(',');
      if (entries.length > most) return { isValid: false, reason: `${entries.length} entries` };
      const values = new Set<string>();
      const wrong: string[] = [];
      for (const entry of entries) {
        const parsed = parseEntry(entry.trim());
        if (parsed.isValid) values.add(parsed.value);
        else wrong.push(`${quoteValue(entry)} ${parsed.reason ?? 'is wrong'}`);
      }
      return wrong.length === 0 ? { isValid: true, value: [...values] } : { isValid: false, reason: nameAll(wrong) };
    },
  };
}

function nameAll(wrong: readonly string[]): string {
  const named = wrong.slice(0, MOST_NAMED).join('; ');
  return wrong.length > MOST_NAMED ? `${named}; and ${wrong.length - MOST_NAMED} more` : named;
}
