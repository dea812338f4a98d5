/** [[listeners]] */
import type { TomlValue } from 'smol-toml';
import type { ListenAddress, ListenerLimits, ListenerProtocol } from '../../../../application/listener-config.js';
import { MAX_LISTENERS } from '../../../../domain/shared/layout.js';
import { SETTINGS } from '../settings.js';
import type { TomlDocument } from '../toml-document.js';
import { isTable } from '../toml-value.js';
import { issueProblems, placeOf, problemAt } from './issues.js';
import { listenerSchema, type ListenerTable } from './listener-schema.js';

const tcpIdle = SETTINGS.idleTimeoutSecs.parser;
const udpIdle = SETTINGS.udpIdleTimeoutSecs.parser;

export interface FileListener {
  /** File, line and key, as messages name it. */
  readonly place: string;
  readonly name: string | null;
  readonly protocol: ListenerProtocol;
  readonly address: ListenAddress;
  /** What it says of its own. */
  readonly limits: Partial<ListenerLimits>;
}

export function readListeners(
  document: TomlDocument,
  value: TomlValue | undefined,
  problems: string[],
): FileListener[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    problems.push(problemAt(document, ['listeners'], 'tables [[listeners]]', null));
    return [];
  }
  if (value.length > MAX_LISTENERS) {
    problems.push(problemAt(document, ['listeners'], `at most ${MAX_LISTENERS}`, `${value.length} of them`));
    return [];
  }
  return value.flatMap((table, index) => {
    const path = ['listeners', index];
    const parsed = listenerSchema.safeParse(table);
    if (!parsed.success) problems.push(...issueProblems(document, path, parsed.error.issues));
    // Nothing else ends a session of UDP. Said of a table that is wrong elsewhere, too.
    if (isTable(table) && table['protocol'] === 'udp' && isOnlyForTcp(table['idle_timeout_secs'])) {
      problems.push(problemAt(document, [...path, 'idle_timeout_secs'], `${udpIdle.expected}, of UDP`, null));
    }
    return parsed.success ? [listenerOf(parsed.data, placeOf(document, path))] : [];
  });
}

function isOnlyForTcp(idleSecs: TomlValue | undefined): boolean {
  if (typeof idleSecs !== 'number' && typeof idleSecs !== 'string') return false;
  return tcpIdle.parse(String(idleSecs)).isValid && !udpIdle.parse(String(idleSecs)).isValid;
}

function listenerOf(table: ListenerTable, place: string): FileListener {
  return {
    place,
    name: table.name ?? null,
    protocol: table.protocol,
    address: table.bind,
    limits: given({
      maxConnections: table.max_connections,
      connectTimeoutMs: table.connect_timeout_ms,
      connectTotalTimeoutMs: table.connect_total_timeout_ms,
      idleTimeoutSecs: table.idle_timeout_secs,
      halfCloseTimeoutSecs: table.half_close_timeout_secs,
      maxLifetimeSecs: table.max_lifetime_secs,
      helloTimeoutMs: table.hello_timeout_ms,
      maxSessionsPerClient: table.max_sessions_per_client,
    }),
  };
}

function given(limits: { readonly [K in keyof ListenerLimits]: number | undefined }): Partial<ListenerLimits> {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}
