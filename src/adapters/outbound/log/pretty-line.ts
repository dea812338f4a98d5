import { createRequire } from 'node:module';
import type { prettyFactory } from 'pino-pretty';

interface PinoPretty {
  readonly prettyFactory: typeof prettyFactory;
}

/** Control and format characters but line feed and tab: a message must not move the terminal's cursor. */
const CONTROLS = /(?![\n\t])[\p{Cc}\p{Cf}]/gu;

/** Turns a JSON log line into one for people. Loaded only when asked for: pino-pretty costs about 20 ms to load. */
export function createPrettifier(isColored: boolean): (line: string) => string {
  const pinoPretty = createRequire(import.meta.url)('pino-pretty') as PinoPretty;
  return pinoPretty.prettyFactory({
    colorize: isColored,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,role',
    messageFormat: (log, messageKey) => `${asText(log['role'])}: ${asText(log[messageKey])}`,
  });
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value.replace(CONTROLS, '\uFFFD') : '';
}
