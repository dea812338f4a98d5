/** `edgeproxy status`: what a running proxy is like, once. */
import { Command } from 'commander';
import { EXIT_CODE } from '../../application/exit-code.js';
import { standardOutput } from '../standard-streams.js';
import { AdminClient } from './admin-client.js';
import { addAdminOptions, readAdminAddress, type AdminOptions } from './admin-options.js';
import { PATHS, readBackends, readStats, readWorkers } from './answers.js';
import { safeJson } from './clean-text.js';
import { statusText } from './status-text.js';

export function statusCommand(): Command {
  const command = addAdminOptions(new Command('status')).option('--json', 'as JSON, as the admin API answers');
  return command.action(async (typed: AdminOptions) => {
    const client = clientFor(command, typed);
    const [stats, workers, backends] = await Promise.all([
      client.get(PATHS.stats),
      client.get(PATHS.workers),
      client.get(PATHS.backends),
    ]);
    const overview = { stats: readStats(stats), workers: readWorkers(workers), backends: readBackends(backends) };
    const text = typed['json'] === true ? jsonOf(stats, workers, backends) : statusText(overview);
    standardOutput().write(text);
  });
}

/** Ends the command with a usage error where anything that was typed is wrong. */
export function clientFor(command: Command, typed: AdminOptions): AdminClient {
  const result = readAdminAddress(typed, process.env);
  if (result.isValid) return new AdminClient(result.address);
  return command.error(`error: ${result.problem}`, { exitCode: EXIT_CODE.USAGE });
}

/** As they came, also what this version does not know; they have been read, so they have these fields. */
function jsonOf(stats: unknown, workers: unknown, backends: unknown): string {
  const { backends: rows, total } = backends as { readonly backends: unknown; readonly total: unknown };
  const all = {
    stats,
    workers: (workers as { readonly workers: unknown }).workers,
    backends: rows,
    backends_total: total,
  };
  return `${safeJson(all)}\n`;
}
