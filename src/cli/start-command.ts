import { Command, Option } from 'commander';
import { EXIT_CODE } from '../application/exit-code.js';
import type { LogLevel } from '../application/proxy-config.js';
import { takeHandedOver } from '../cluster/service-manager/handed-over.js';
import { takeInheritance } from '../cluster/upgrade/inheritance.js';
import { reportProblems, sourceFrom } from './configuration.js';
import { packageVersion } from './package-info.js';
import { standardError, standardOutput } from './standard-streams.js';
import { environmentHelp, settingOptions } from './setting-flags.js';
import type { ParsedOptions } from './setting-flags.js';

/** Who starts with one of these would otherwise see a start fail without a word. */
const HIDE_ERRORS: readonly LogLevel[] = ['fatal', 'silent'];

/** `report` is handed the exit code of a command that ended without throwing. */
export function startCommand(report: (exitCode: number) => void): Command {
  const command = withSettings(new Command('start'))
    .description('start the proxy')
    .option('--demo', 'start with three small backends of its own and print what to try')
    .option('--validate', 'check the configuration and exit, as `edgeproxy validate` does');
  return command.action(async (options: ParsedOptions) => {
    report(await (options['validate'] === true ? validate(options) : start(options)));
  });
}

export function validateCommand(report: (exitCode: number) => void): Command {
  const command = withSettings(new Command('validate'))
    .description(
      'check the configuration: every error with its variable, flag or line of the file, and the expected value',
    )
    .argument('[file]', 'the configuration file, as with --config');
  return command.action(async (file: string | undefined, options: ParsedOptions) => {
    const config = options['config'] ?? file;
    if (file !== undefined && file !== config) command.error('error: two configuration files; expected one');
    report(await validate({ ...options, config }));
  });
}

function withSettings(command: Command): Command {
  command.addOption(new Option('-c, --config <FILE>', 'TOML file; flags and variables go before it'));
  for (const option of settingOptions()) command.addOption(option);
  return command.addHelpText('after', environmentHelp);
}

async function start(options: ParsedOptions): Promise<number> {
  // First: these variables are no settings, and nobody whom this process starts may see them.
  const origin = { inheritance: takeInheritance(process.env), handedOver: takeHandedOver(process.env, process.pid) };
  const source = sourceFrom(options);
  const result = await source.load();
  if (!result.isValid) return reportProblems(result.problems, result.warnings);
  // Loaded only now: help and errors need no cluster, addon or database.
  const { runPrimary } = await import('../cluster/primary.js');
  const exitCode = await runPrimary(result.config, result.warnings, source, origin, packageVersion());
  const { logLevel, logFile } = result.config;
  if (exitCode !== EXIT_CODE.OK && HIDE_ERRORS.includes(logLevel)) {
    standardError().write(`error: edgeproxy failed, and log level ${logLevel} hides why; --log-level error shows it\n`);
  } else if (exitCode !== EXIT_CODE.OK && logFile !== null) {
    standardError().write(`error: edgeproxy failed; ${logFile} says why\n`);
  }
  return exitCode;
}

async function validate(options: ParsedOptions): Promise<number> {
  const result = await sourceFrom(options).load();
  if (!result.isValid) return reportProblems(result.problems, result.warnings);
  reportProblems([], result.warnings);
  standardOutput().write('configuration is valid\n');
  return EXIT_CODE.OK;
}
