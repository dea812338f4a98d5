import { z } from 'zod';

/**
 * A whole number of a query, in digits alone. An empty parameter, which a script with an unset variable sends, is none: a
 * number read from it would be 0, and mean something.
 */
export function wholeNumber(min: number, max: number) {
  return z.preprocess(readDigits, z.number().int().min(min).max(max));
}

function readDigits(text: unknown): unknown {
  return typeof text === 'string' && /^\d+$/.test(text) ? Number(text) : text;
}
