import { z } from 'zod';
import type { RowValues } from '../../../../application/ports/registration-store.js';
import { addressFault } from '../../../../domain/address-fault.js';
import { DRAIN_TIMEOUT_RANGE } from '../../../../domain/backend-overrides.js';
import { isPlainText, MAX_COUNT, MAX_PORT, MAX_TEXT_CHARS } from '../../../../domain/backend-row.js';
import { unixPathOf } from '../../../../domain/unix-path.js';
import { count } from './counts.js';

/** Rows of the routing database hold nothing else. */
const text = z
  .string()
  .min(1, 'is empty')
  .max(MAX_TEXT_CHARS, `is longer than ${MAX_TEXT_CHARS} characters`)
  .refine(isPlainText, 'holds unprintable characters');
const weight = z.number().int().min(0).max(MAX_COUNT);
const softLimit = z.number().int().min(1).max(MAX_COUNT);
const hardLimit = z.number().int().min(0).max(MAX_COUNT);

/** Who registers is somewhere else, or may be: a path on this host would be a way to its own services. */
const ip = z.string().superRefine((address, context) => {
  const fault = unixPathOf(address) === null ? addressFault(address) : 'is not an IPv4 or IPv6 address';
  if (fault !== null) context.addIssue({ code: 'custom', message: fault.replace(' or unix:/path', '') });
});

export const registrationSchema = z.strictObject({
  id: text,
  app: text,
  region: text.describe('In any case.'),
  country: z
    .string()
    .regex(/^[A-Za-z]{2}$/, 'is not a two-letter country code')
    .optional(),
  ip: ip.describe('IPv4 or IPv6.'),
  port: z.number().int().min(1).max(MAX_PORT),
  weight: weight.optional().describe('2 unless given, or what it was; 0 = no new clients.'),
  soft_limit: softLimit.optional().describe('100 unless given, or what it was.'),
  hard_limit: hardLimit.optional().describe('150 unless given, or what it was; 0 = unlimited.'),
});

export const registeredSchema = z.object({ id: z.string(), registered: z.literal(true), message: z.string() });
export const heartbeatSchema = z.object({ id: z.string(), status: z.literal('ok') });
export const removedSchema = z.object({ id: z.string(), removed: z.literal(true), message: z.string() });

export const changeSchema = z
  .strictObject({
    weight: weight.optional(),
    soft_limit: softLimit.optional(),
    hard_limit: hardLimit.optional(),
    draining: z.boolean().optional().describe('true: no new clients; connections that are open stay.'),
    drain_timeout_secs: z
      .number()
      .min(DRAIN_TIMEOUT_RANGE.min)
      .max(DRAIN_TIMEOUT_RANGE.max)
      .nullable()
      .optional()
      .describe('When what is left is closed; 0 = never, null = EDGEPROXY_DRAIN_TIMEOUT_SECS.'),
    enabled: z.boolean().optional().describe('false: no new clients.'),
  })
  .refine((change) => Object.keys(change).length > 0, 'there is nothing to change');

export function registrationValues(body: z.output<typeof registrationSchema>): RowValues {
  const { app, region, country, ip: address, port, weight: own, soft_limit: soft, hard_limit: hard } = body;
  return {
    app,
    region: region.toLowerCase(),
    wg_ip: address,
    port,
    ...(country === undefined ? {} : { country: country.toUpperCase() }),
    ...(own === undefined ? {} : { weight: own }),
    ...(soft === undefined ? {} : { soft_limit: soft }),
    ...(hard === undefined ? {} : { hard_limit: hard }),
  };
}

export function changeValues(body: z.output<typeof changeSchema>): RowValues {
  const {
    draining,
    enabled,
    drain_timeout_secs: drainTimeoutSecs,
    weight: own,
    soft_limit: soft,
    hard_limit: hard,
  } = body;
  // A drain that does not say so is one by the setting, whatever the last one was.
  const timeout = drainTimeoutSecs ?? (draining === undefined ? undefined : null);
  return {
    ...(own === undefined ? {} : { weight: own }),
    ...(soft === undefined ? {} : { soft_limit: soft }),
    ...(hard === undefined ? {} : { hard_limit: hard }),
    ...(draining === undefined ? {} : { draining: draining ? 1 : 0 }),
    ...(timeout === undefined && drainTimeoutSecs === undefined ? {} : { drain_timeout_secs: timeout ?? null }),
    ...(enabled === undefined ? {} : { healthy: enabled ? 1 : 0 }),
  };
}

export const reloadSchema = z.object({
  reloaded: z.literal(true),
  changed: z.array(z.string()).describe('Keys of the configuration that have another value now.'),
  waiting: z.array(z.string()).describe('Keys whose new value applies at the next start.'),
  backends: count.describe('Of the routing table in force.'),
});
