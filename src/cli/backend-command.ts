/** `edgeproxy backend …`: edits the routing database, which a running proxy picks up at its next reload. */
import { Command } from 'commander';
import { nearestName } from '../adapters/inbound/config/nearest-name.js';
import { quoteValue } from '../adapters/inbound/config/quote-value.js';
import { BackendEditor } from '../adapters/outbound/sqlite/backend-editor.js';
import type { BackendValues, ChangeOutcome } from '../adapters/outbound/sqlite/backend-editor.js';
import { EXIT_CODE } from '../application/exit-code.js';
import { EdgeproxyError } from '../domain/edgeproxy-error.js';
import { unixPathOf } from '../domain/unix-path.js';
import { formatJson, formatTable, listBackends } from './backend-list.js';
import {
  backendOptions,
  closeAfterOption,
  databaseOption,
  readBackendOptions,
  readCloseAfter,
  readDatabasePath,
} from './backend-options.js';
import type { TypedOptions } from './backend-options.js';

interface FixedChange {
  readonly name: string;
  readonly description: string;
  readonly values: BackendValues;
  readonly done: string;
}

const FIXED_CHANGES: readonly FixedChange[] = [
  {
    name: 'enable',
    description: 'mark a backend as healthy and end its draining',
    values: { healthy: 1, draining: 0, drain_timeout_secs: null },
    done: 'is enabled',
  },
  { name: 'disable', description: 'mark a backend as unhealthy', values: { healthy: 0 }, done: 'is disabled' },
  {
    name: 'remove',
    description: 'mark a backend as deleted; `add` brings it back',
    values: { deleted: 1 },
    done: 'is removed',
  },
];

/** Usage errors end with commander's exit, code 2; failures reject with an EdgeproxyError. */
export function backendCommand(): Command {
  const command = new Command('backend').description('edit the routing database');
  command.addCommand(addCommand());
  command.addCommand(listCommand());
  command.addCommand(setCommand());
  command.addCommand(drainCommand());
  for (const change of FIXED_CHANGES) command.addCommand(fixedChangeCommand(change));
  return command;
}

function addCommand(): Command {
  const command = databaseCommand('add', 'add a backend, or bring back one that was removed');
  for (const option of backendOptions()) command.addOption(option);
  return command.action((typed: TypedOptions) => {
    const isAtPath = unixPathOf(String(typed['ip'])) !== null;
    const { values, problems } = readBackendOptions(typed, isAtPath ? ['id', 'ip'] : ['id', 'ip', 'port']);
    const path = databasePath(command, typed, problems);
    const { id, wg_ip: ip, port = null } = values;
    if (typeof id !== 'string' || typeof ip !== 'string' || typeof port === 'string') return;
    const outcome = edit(path, true, (editor) => editor.add({ ...values, id, wg_ip: ip, port }));
    if (outcome === 'exists') {
      const advice = 'change it with `edgeproxy backend set`';
      throw failure('EP_BACKEND_EXISTS', `${quoteValue(id)} exists already; ${advice}`);
    }
    print(`${quoteValue(id)} ${outcome === 'added' ? 'is added' : 'is back'}`);
  });
}

function listCommand(): Command {
  const command = databaseCommand('list', 'list the backends as the proxy reads them')
    .option('--json', 'as JSON')
    .option('--app <APP>', 'only those of an application')
    .option('--region <REGION>', 'only those of a region')
    .option('--all', 'with those that were removed');
  return command.action((typed: TypedOptions) => {
    const path = databasePath(command, typed, []);
    const { rows, columns } = edit(path, false, (editor) => editor.rows());
    const { backends, warnings } = listBackends(rows, columns, {
      ...(typeof typed['app'] === 'string' ? { app: typed['app'] } : {}),
      ...(typeof typed['region'] === 'string' ? { region: typed['region'] } : {}),
      isWithRemoved: typed['all'] === true,
    });
    for (const { row, column, reason } of warnings) process.stderr.write(`warning: ${row}, ${column}: ${reason}\n`);
    process.stdout.write(typed['json'] === true ? formatJson(backends) : formatTable(backends));
  });
}

function setCommand(): Command {
  const command = databaseCommand('set', 'change what is given, keep the rest').argument('<id>');
  const options = backendOptions(['id']);
  for (const option of options) command.addOption(option);
  return command.action((id: string, typed: TypedOptions) => {
    const { values, problems } = readBackendOptions(typed, []);
    const isEmpty = problems.length === 0 && Object.keys(values).length === 0;
    const flags = options.map(({ long }) => long).join(', ');
    const path = databasePath(command, typed, isEmpty ? [`nothing to set; give at least one of ${flags}`] : problems);
    reportChange(
      id,
      edit(path, false, (editor) => editor.change(id, values)),
      'is changed',
    );
  });
}

function drainCommand(): Command {
  const command = databaseCommand(
    'drain',
    'send no more clients to a backend; connections that are open stay',
  ).argument('<id>');
  command.addOption(closeAfterOption());
  return command.action((id: string, typed: TypedOptions) => {
    const { values, problems } = readCloseAfter(typed);
    const path = databasePath(command, typed, problems);
    // A drain without the flag is one by the setting, whatever the last one was.
    const change = { draining: 1, drain_timeout_secs: null, ...values };
    reportChange(
      id,
      edit(path, false, (editor) => editor.change(id, change)),
      `takes no more clients; ${fateOfConnections(values.drain_timeout_secs)}`,
    );
  });
}

function fateOfConnections(closeAfterSecs: unknown): string {
  if (typeof closeAfterSecs !== 'number')
    return 'open connections stay for EDGEPROXY_DRAIN_TIMEOUT_SECS (0: until they end)';
  if (closeAfterSecs === 0) return 'open connections stay until they end';
  return `open connections are closed ${closeAfterSecs} s after the proxy has seen it drain for the first time`;
}

function fixedChangeCommand({ name, description, values, done }: FixedChange): Command {
  const command = databaseCommand(name, description).argument('<id>');
  return command.action((id: string, typed: TypedOptions) => {
    const path = databasePath(command, typed, []);
    reportChange(
      id,
      edit(path, false, (editor) => editor.change(id, values)),
      done,
    );
  });
}

function databaseCommand(name: string, description: string): Command {
  return new Command(name).description(description).addOption(databaseOption());
}

/** Ends the command where anything that was typed is wrong, and says all of it. */
function databasePath(command: Command, typed: TypedOptions, problems: readonly string[]): string {
  const database = readDatabasePath(typed, process.env);
  const all = [...problems, ...database.problems];
  if (all.length === 0) return database.path;
  return command.error(all.map((problem) => `error: ${problem}`).join('\n'), { exitCode: EXIT_CODE.USAGE });
}

function edit<T>(path: string, mayCreate: boolean, work: (editor: BackendEditor) => T): T {
  const editor = BackendEditor.open(path, { mayCreate });
  try {
    return work(editor);
  } finally {
    editor.close();
  }
}

function reportChange(id: string, outcome: ChangeOutcome, done: string): void {
  if (outcome.kind === 'changed') return print(`${quoteValue(id)} ${done}`);
  if (outcome.kind === 'removed') {
    throw failure('EP_BACKEND_REMOVED', `${quoteValue(id)} was removed; \`edgeproxy backend add\` brings it back`);
  }
  const nearest = nearestName(id, outcome.knownIds);
  const advice = nearest === null ? '`edgeproxy backend list` shows all' : `did you mean ${quoteValue(nearest)}?`;
  throw failure('EP_BACKEND_UNKNOWN', `there is no backend ${quoteValue(id)}; ${advice}`);
}

function failure(code: `EP_${string}`, message: string): EdgeproxyError {
  return new EdgeproxyError(code, message, { source: 'internal' });
}

function print(sentence: string): void {
  process.stdout.write(`${sentence}\n`);
}
