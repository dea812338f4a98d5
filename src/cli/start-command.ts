import { availableParallelism } from 'node:os';
import { isatty } from 'node:tty';
import { Command, Option } from 'commander';
import { loadConfig } from '../adapters/inbound/config/load-config.js';
import type { ConfigResult } from '../adapters/inbound/config/load-config.js';
import { EXIT_CODE } from '../application/exit-code.js';
import type { LogLevel } from '../application/proxy-config.js';
import { standardError, standardOutput } from './standard-streams.js';
import { environmentHelp, flagValues, settingOptions } from './setting-flags.js';
import type { ParsedOptions } from './setting-flags.js';

const NO_CONFIG_FILE =
  'configuration files are not available in this version; use flags and EDGEPROXY_ variables (docs/configuration.md)';

/** Who starts with one of these would otherwise see a start fail without a word. */
const HIDE_ERRORS: readonly LogLevel[] = ['fatal', 'silent'];

/** `report` is handed the exit code of a command that ended without throwing. */
export function startCommand(report: (exitCode: number) => void): Command {
  const command = withSettings(new Command('start'))
    .description('start the proxy')
    .option('--demo', 'start with three small backends of its own and print what to try')
    .option('--validate', 'check the configuration and exit, as `edgeproxy validate` does');
  return command.action(async (options: ParsedOptions) => {
    refuseConfigFile(command, options);
    report(options['validate'] === true ? validate(options) : await start(options));
  });
}

export function validateCommand(report: (exitCode: number) => void): Command {
  const command = withSettings(new Command('validate'))
    .description('check the configuration: every error with its variable or flag and the expected value')
    .argument('[file]');
  return command.action((file: string | undefined, options: ParsedOptions) => {
    refuseConfigFile(command, file === undefined ? options : { config: file });
    report(validate(options));
  });
}

function withSettings(command: Command): Command {
  for (const option of settingOptions()) command.addOption(option);
  command.addOption(new Option('-c, --config <file>').hideHelp());
  return command.addHelpText('after', environmentHelp);
}

function refuseConfigFile(command: Command, options: ParsedOptions): void {
  if (options['config'] !== undefined) command.error(`error: -c/--config: ${NO_CONFIG_FILE}`);
}

async function start(options: ParsedOptions): Promise<number> {
  const result = configFrom(options);
  if (!result.isValid) return reportProblems(result.problems, result.warnings);
  // Loaded only now: help and errors need no cluster, addon or database.
  const { runPrimary } = await import('../cluster/primary.js');
  const exitCode = await runPrimary(result.config, result.warnings);
  const { logLevel } = result.config;
  if (exitCode !== EXIT_CODE.OK && HIDE_ERRORS.includes(logLevel)) {
    standardError().write(`error: edgeproxy failed, and log level ${logLevel} hides why; --log-level error shows it\n`);
  }
  return exitCode;
}

function validate(options: ParsedOptions): number {
  const result = configFrom(options);
  if (!result.isValid) return reportProblems(result.problems, result.warnings);
  reportProblems([], result.warnings);
  standardOutput().write('configuration is valid\n');
  return EXIT_CODE.OK;
}

function configFrom(options: ParsedOptions): ConfigResult {
  return loadConfig({
    env: process.env,
    flags: flagValues(options),
    isDemo: options['demo'] === true,
    host: { cpuCount: availableParallelism(), isTerminal: isatty(1) },
  });
}

function reportProblems(problems: readonly string[], warnings: readonly string[]): number {
  for (const warning of warnings) standardError().write(`warning: ${warning}\n`);
  for (const problem of problems) standardError().write(`error: ${problem}\n`);
  return EXIT_CODE.USAGE;
}
