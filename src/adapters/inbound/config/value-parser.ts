/**
 * Parsers for scalar settings, as strict as they can be: no surrounding blanks, signs, exponents, hexadecimal or
 * leading zeros, so that what is read is what was meant. Written by hand because a schema library costs more
 * milliseconds to load (zod 4: 57 ms on the development machine) than the proxy takes to listen.
 */
export type Parsed<T> =
  { readonly isValid: true; readonly value: T } | { readonly isValid: false; readonly reason?: string };

export interface ValueParser<T> {
  /** What a right value looks like: completes "expected …" in messages and in the documentation. */
  readonly expected: string;
  /** Commas separate its values; in a configuration file an array of strings will do, too. */
  readonly isList?: true;
  /** A wrong value is not shown; `format` hides what must not be seen of a right one. */
  readonly isSecret?: true;
  parse(text: string): Parsed<T>;
  /** The value as users write it, for the log; not there where it is logged as it is. */
  format?(value: T): string;
}

/** At most 15 digits, so that every accepted number is exact. */
const WHOLE_NUMBER = /^(0|[1-9]\d{0,14})$/;
/** Down to milliseconds, the resolution of every timer. */
const SECONDS = /^(0|[1-9]\d{0,11})(\.\d{1,3})?$/;
const SPELLINGS_OF_ON = ['on', 'true', 'yes', '1'];
const SPELLINGS_OF_OFF = ['off', 'false', 'no', '0'];
/** A path that starts or ends in a blank or holds a line break is a quoting error, not a path. */
const BLANKS_OR_CONTROLS = /^\s|\s$|\p{Cc}/u;

export function wholeNumber(min: number, max: number): ValueParser<number> {
  return numberMatching(WHOLE_NUMBER, `a whole number from ${min} to ${max}`, min, max);
}

/** Seconds, with up to three decimals. */
export function seconds(min: number, max: number): ValueParser<number> {
  return numberMatching(SECONDS, `seconds from ${min} to ${max}, at most three decimals`, min, max);
}

/** Seconds, of a setting that counts milliseconds. */
export function secondsAsMs(minMs: number, maxMs: number): ValueParser<number> {
  const secs = seconds(minMs / 1000, maxMs / 1000);
  return {
    expected: secs.expected,
    parse(text) {
      const parsed = secs.parse(text);
      return parsed.isValid ? { isValid: true, value: Math.round(parsed.value * 1000) } : parsed;
    },
  };
}

export function oneOf<const T extends string>(values: readonly T[]): ValueParser<T> {
  return {
    expected: `one of ${values.join(', ')}`,
    parse(text) {
      const value = values.find((known) => known === text.toLowerCase());
      return value === undefined ? { isValid: false } : { isValid: true, value };
    },
  };
}

export const onOff: ValueParser<boolean> = {
  expected: 'on or off',
  parse(text) {
    const word = text.toLowerCase();
    if (SPELLINGS_OF_ON.includes(word)) return { isValid: true, value: true };
    return SPELLINGS_OF_OFF.includes(word) ? { isValid: true, value: false } : { isValid: false };
  },
};

export const filePath: ValueParser<string> = {
  expected: 'a file name without surrounding blanks or control characters',
  parse: (text) => (text === '' || BLANKS_OR_CONTROLS.test(text) ? { isValid: false } : { isValid: true, value: text }),
};

const NONE = 'none';

/** What the parser takes, or the word none for null. */
export function orNone<T>(parser: ValueParser<T>): ValueParser<T | null> {
  return {
    ...(parser.isSecret === true ? { isSecret: true } : {}),
    expected: `${parser.expected}, or ${NONE}`,
    parse: (text) => (text === NONE ? { isValid: true, value: null } : parser.parse(text)),
    format: (value) => (value === null ? NONE : (parser.format?.(value) ?? String(value))),
  };
}

/** null where it is empty. */
export function secret(maxCharacters: number): ValueParser<string | null> {
  return {
    expected: `up to ${maxCharacters} characters without control characters`,
    isSecret: true,
    parse(text) {
      if (text === '') return { isValid: true, value: null };
      return text.length > maxCharacters || /\p{Cc}/u.test(text) ? { isValid: false } : { isValid: true, value: text };
    },
    format: (value) => (value === null ? '' : '(hidden)'),
  };
}

export function matching(pattern: RegExp, expected: string): ValueParser<string> {
  return { expected, parse: (text) => (pattern.test(text) ? { isValid: true, value: text } : { isValid: false }) };
}

/** What the parser takes, in lower case. */
export function lowerCase(parser: ValueParser<string>): ValueParser<string> {
  return {
    expected: parser.expected,
    parse(text) {
      const parsed = parser.parse(text);
      return parsed.isValid ? { isValid: true, value: parsed.value.toLowerCase() } : parsed;
    },
  };
}

function numberMatching(pattern: RegExp, expected: string, min: number, max: number): ValueParser<number> {
  return {
    expected,
    parse(text) {
      const value = pattern.test(text) ? Number(text) : NaN;
      return value >= min && value <= max ? { isValid: true, value } : { isValid: false };
    },
  };
}
