import { createRequire } from 'node:module';
import type { prettyFactory } from 'pino-pretty';

interface PinoPretty {
  readonly prettyFactory: typeof prettyFactory;
}

/** Control and format characters but line feed and tab: nothing that is logged may move the terminal's cursor. */
const CONTROLS = /(?![\n\t])[\p{Cc}\p{Cf}]/gu;

/** Turns a JSON log line into one for people. Loaded only when asked for: pino-pretty costs about 20 ms to load. */
export function createPrettifier(isColored: boolean): (line: string) => string {
  const pinoPretty = createRequire(import.meta.url)('pino-pretty') as PinoPretty;
  const pretty = pinoPretty.prettyFactory({
    colorize: isColored,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,role',
    messageFormat: (log, messageKey) => `${asText(log['role'])}: ${asText(log[messageKey])}`,
  });
  // Before it is coloured: afterwards a line's own colour codes could not be told from others.
  return (line) => pretty(cleaned(JSON.parse(line)));
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** The same value with clean texts, names of fields included. */
function cleaned(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(CONTROLS, '\uFFFD');
  if (Array.isArray(value)) return value.map(cleaned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [cleaned(name), cleaned(field)]));
}
