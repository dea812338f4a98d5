/** Logs N lines to standard output, a hundred per turn of the loop, and reports how many of them were dropped. */
import { createLogger } from '../../src/adapters/outbound/log/create-logger.js';
import type { LogFormat } from '../../src/application/proxy-config.js';

const lines = Number(process.argv[2]);
const logger = createLogger({ level: 'info', format: process.argv[3] as LogFormat, role: 'test' });
const padding = 'x'.repeat(100);
let next = 0;

process.on('message', () => process.exit());

function logSome(): void {
  for (let end = Math.min(next + 100, lines); next < end; next++) logger.info({ n: next, padding }, 'line');
  if (next < lines) setImmediate(logSome);
  else process.send?.({ dropped: logger.droppedLines });
}

logSome();
