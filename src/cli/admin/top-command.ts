/** `edgeproxy top`: what a running proxy is like, live. */
import { isatty, ReadStream, WriteStream } from 'node:tty';
import { Command, Option } from 'commander';
import { quoteValue } from '../../adapters/inbound/config/quote-value.js';
import { EXIT_CODE } from '../../application/exit-code.js';
import { addAdminOptions, type AdminOptions } from './admin-options.js';
import { clientFor } from './status-command.js';
import { Screen } from './top/screen.js';
import { Top } from './top/top.js';

const DEFAULT_SECS = 1;
const LEAST_SECS = 0.2;
const MOST_SECS = 3600;

export function topCommand(): Command {
  const command = addAdminOptions(new Command('top')).addOption(
    new Option(
      '--interval <SECS>',
      `seconds between two looks, from ${LEAST_SECS} to ${MOST_SECS} (default ${DEFAULT_SECS})`,
    ),
  );
  return command.action(async (typed: AdminOptions) => {
    const intervalMs = readIntervalMs(command, typed['interval']);
    const client = clientFor(command, typed);
    if (!isatty(0) || !isatty(1) || process.env['TERM'] === 'dumb') {
      const advice = '`edgeproxy status` prints the same once';
      return command.error(`error: top needs a terminal on standard input and output; ${advice}`, usage());
    }
    const { stdout, stdin } = process;
    if (!(stdout instanceof WriteStream) || !(stdin instanceof ReadStream)) return;
    await new Top(client, intervalMs, new Screen(stdout, stdin, hasColour(process.env))).run();
  });
}

function readIntervalMs(command: Command, typed: unknown): number {
  if (typeof typed !== 'string') return DEFAULT_SECS * 1000;
  const secs = /^\d+(\.\d+)?$/.test(typed) ? Number(typed) : NaN;
  if (secs >= LEAST_SECS && secs <= MOST_SECS) return secs * 1000;
  const expected = `expected seconds from ${LEAST_SECS} to ${MOST_SECS}`;
  return command.error(`error: --interval: ${quoteValue(typed)} is not valid; ${expected}`, usage());
}

/** https://no-color.org */
function hasColour({ NO_COLOR: noColour = '' }: NodeJS.ProcessEnv): boolean {
  return noColour === '';
}

function usage(): { readonly exitCode: number } {
  return { exitCode: EXIT_CODE.USAGE };
}
