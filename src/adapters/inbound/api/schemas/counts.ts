import { z } from 'zod';

export const count = z.number().int().nonnegative();

/** A count for each reason, all of them present. */
export function countsBy(reasons: readonly string[]): z.ZodObject {
  return z.object(Object.fromEntries(reasons.map((reason) => [reason, count])));
}
