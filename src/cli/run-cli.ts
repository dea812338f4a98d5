/** The command line: which command runs, and what the process ends with. */
import { Command, CommanderError } from 'commander';
import { nearestName } from '../adapters/inbound/config/nearest-name.js';
import { quoteValue } from '../adapters/inbound/config/quote-value.js';
import { EXIT_CODE } from '../application/exit-code.js';
import { EdgeproxyError } from '../domain/edgeproxy-error.js';
import { packageVersion } from './package-info.js';
import { startCommand, validateCommand } from './start-command.js';
import { standardError, standardOutput } from './standard-streams.js';
import { versionInfo } from './version-info.js';

const COMMANDS = ['start', 'validate', 'backend', 'status', 'top', 'doctor', 'help'] as const;
const STATUS_SUMMARY = 'what a running proxy is like, once (from its admin API)';
const TOP_SUMMARY = 'what a running proxy is like, live in a terminal (from its admin API)';
const DOCTOR_SUMMARY = 'compare this machine with the tuning guide: what, why, and the command';
const BACKEND_SUMMARY = 'add, list, set, drain, enable, disable or remove backends of the routing database';

/** Runs one command to its end; `argv` without node and script. Resolves with the exit code, never rejects. */
export async function runCli(argv: readonly string[]): Promise<number> {
  const misuse = wrongCommand(argv[0]);
  if (misuse !== null) {
    standardError().write(`error: ${misuse}\n`);
    return EXIT_CODE.USAGE;
  }
  let exitCode: number = EXIT_CODE.OK;
  try {
    const program = await createProgram(argv, (code) => (exitCode = code));
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    return reportFailure(error);
  }
}

function wrongCommand(word: string | undefined): string | null {
  if (word === undefined || word.startsWith('-')) return null;
  if (COMMANDS.some((command) => command === word)) return null;
  const nearest = nearestName(word, COMMANDS);
  const advice = nearest === null ? 'edgeproxy --help lists the commands' : `did you mean ${nearest}?`;
  return `${quoteValue(word)} is not a command; ${advice}`;
}

async function createProgram(argv: readonly string[], report: (exitCode: number) => void): Promise<Command> {
  const program = new Command('edgeproxy')
    .description('Geo-aware L4 edge proxy')
    .version(packageVersion(), '--version', 'print the version')
    .option('-V, --version-info', 'print the versions of everything that matters in a report of a fault')
    .addHelpText('after', '\nWithout a command edgeproxy starts; `edgeproxy start --help` lists the flags.')
    .configureOutput({
      writeOut: (text) => standardOutput().write(text),
      writeErr: (text) => standardError().write(text),
    })
    .exitOverride();
  program.on('option:version-info', () => {
    standardOutput().write(versionInfo());
    throw new CommanderError(EXIT_CODE.OK, 'edgeproxy.versionInfo', '');
  });
  program.addCommand(startCommand(report), { isDefault: true });
  program.addCommand(validateCommand(report));
  program.addCommand(await backendCommandFor(argv));
  program.addCommand(await doctorCommandFor(argv, report));
  program.addCommand(await statusCommandFor(argv));
  program.addCommand(await topCommandFor(argv));
  for (const command of program.commands) inheritSettings(command, program);
  return program;
}

/** The routing database's code is loaded by the command that needs it: `start` must be fast. */
async function backendCommandFor(argv: readonly string[]): Promise<Command> {
  if (!argv.includes('backend')) return new Command('backend').description(BACKEND_SUMMARY);
  standardOutput();
  const { backendCommand } = await import('./backend-command.js');
  return backendCommand().description(BACKEND_SUMMARY);
}

/** As above. */
async function doctorCommandFor(argv: readonly string[], report: (exitCode: number) => void): Promise<Command> {
  if (!argv.includes('doctor')) return new Command('doctor').description(DOCTOR_SUMMARY);
  const { doctorCommand } = await import('./doctor-command.js');
  return doctorCommand(report).description(DOCTOR_SUMMARY);
}

async function statusCommandFor(argv: readonly string[]): Promise<Command> {
  if (!argv.includes('status')) return new Command('status').description(STATUS_SUMMARY);
  const { statusCommand } = await import('./admin/status-command.js');
  return statusCommand().description(STATUS_SUMMARY);
}

async function topCommandFor(argv: readonly string[]): Promise<Command> {
  if (!argv.includes('top')) return new Command('top').description(TOP_SUMMARY);
  const { topCommand } = await import('./admin/top-command.js');
  return topCommand().description(TOP_SUMMARY);
}

function inheritSettings(command: Command, parent: Command): void {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inheritSettings(child, command);
}

function reportFailure(error: unknown): number {
  // Commander has already said what was wrong.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODE.OK : EXIT_CODE.USAGE;
  if (error instanceof EdgeproxyError) {
    standardError().write(`error: ${error.message} (${error.code})\n`);
    return error.source === 'config' ? EXIT_CODE.USAGE : EXIT_CODE.FAILURE;
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  standardError().write(`error: ${detail}\n`);
  return EXIT_CODE.FAILURE;
}
