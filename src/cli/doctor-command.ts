/** `edgeproxy doctor`: compares this machine with docs/tuning.md. */
import { Command, Option } from 'commander';
import { MachineReader } from '../adapters/outbound/machine/read-machine.js';
import { CHECKS, SYSCTLS } from '../application/doctor/checks.js';
import { examineAll, type Finding } from '../application/doctor/check.js';
import { formatFindings, formatJson, formatSysctls } from '../application/doctor/report.js';
import { EXIT_CODE } from '../application/exit-code.js';
import { reportProblems, sourceFrom } from './configuration.js';
import type { ParsedOptions } from './setting-flags.js';
import { standardOutput } from './standard-streams.js';

/** `report` is handed the exit code. */
export function doctorCommand(report: (exitCode: number) => void): Command {
  const command = new Command('doctor')
    .addOption(new Option('-c, --config <FILE>', 'what the proxy is to do here, beside its variables'))
    .addOption(new Option('--json', 'as JSON').conflicts('apply'))
    .option('--apply', 'print the sysctls that are not as wanted, as a file for /etc/sysctl.d');
  return command.action(async (options: ParsedOptions) => report(await examine(options)));
}

async function examine(options: ParsedOptions): Promise<number> {
  const result = await sourceFrom(options).load();
  if (!result.isValid) return reportProblems(result.problems, result.warnings);
  const findings = examineAll(CHECKS, new MachineReader().read(SYSCTLS), result.config);
  standardOutput().write(format(findings, options));
  // A file that was asked for and printed is no failure: what comes after it in a script applies it.
  const isMended = options['apply'] === true || !findings.some(({ state }) => state === 'mend');
  return isMended ? EXIT_CODE.OK : EXIT_CODE.FAILURE;
}

function format(findings: readonly Finding[], options: ParsedOptions): string {
  if (options['apply'] === true) return formatSysctls(findings);
  return options['json'] === true ? formatJson(findings) : formatFindings(findings);
}
