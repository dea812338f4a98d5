import { z } from 'zod';
import type { ProxyEvent } from '../../../../application/ports/proxy-view.js';
import { count } from './counts.js';

/** Of what a line of the log says beside its sentence; the rest is in the log. */
const MOST_CONTEXT_CHARS = 2048;

const eventSchema = z.object({
  time: z.string().describe('ISO 8601.'),
  kind: z.enum(['warning', 'error']),
  reason: z.string(),
  context: z.record(z.string(), z.unknown()).describe('What the log says about it; empty where that is long.'),
});

export const eventListSchema = z.object({
  events: z.array(eventSchema).describe('The latest warnings and errors of the log, oldest first.'),
  total: count,
});

export function eventListJson(events: readonly ProxyEvent[]): z.input<typeof eventListSchema> {
  const rows = events.map(({ timeMs, kind, reason, context }) => {
    return { time: new Date(timeMs).toISOString(), kind, reason, context: shortContext(context) };
  });
  return { events: rows, total: rows.length };
}

function shortContext(context: object): Record<string, unknown> {
  const text = JSON.stringify(context, (_key, value: unknown) => (value instanceof Error ? value.message : value));
  return text.length > MOST_CONTEXT_CHARS ? {} : (JSON.parse(text) as Record<string, unknown>);
}
