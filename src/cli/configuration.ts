/** What commands have in common that read the configuration. */
import { availableParallelism } from 'node:os';
import { isatty } from 'node:tty';
import { ConfigSource } from '../adapters/inbound/config/config-source.js';
import { EXIT_CODE } from '../application/exit-code.js';
import { flagValues, type ParsedOptions } from './setting-flags.js';
import { standardError } from './standard-streams.js';

export function sourceFrom(options: ParsedOptions): ConfigSource {
  const path = options['config'];
  return new ConfigSource(typeof path === 'string' ? path : null, {
    env: process.env,
    flags: flagValues(options),
    isDemo: options['demo'] === true,
    host: { cpuCount: availableParallelism(), isTerminal: isatty(1) },
  });
}

/** Returns the exit code of a wrong configuration. */
export function reportProblems(problems: readonly string[], warnings: readonly string[]): number {
  for (const warning of warnings) standardError().write(`warning: ${warning}\n`);
  for (const problem of problems) standardError().write(`error: ${problem}\n`);
  return EXIT_CODE.USAGE;
}
