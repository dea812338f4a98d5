import {
  BackendEditor,
  type BackendValues,
  type NewBackendValues,
} from '../../src/adapters/outbound/sqlite/backend-editor.js';
import type { LogLine } from './log-lines.js';
import type { ProxyProcess } from './proxy-process.js';

/** Changes rows of the proxy's database as `edgeproxy backend` does. */
export function changeBackends(databasePath: string, changes: Readonly<Record<string, BackendValues>>): void {
  const editor = BackendEditor.open(databasePath, { mayCreate: false });
  try {
    for (const [id, values] of Object.entries(changes)) {
      const { kind } = editor.change(id, values);
      if (kind !== 'changed') throw new Error(`backend ${id} is ${kind}`);
    }
  } finally {
    editor.close();
  }
}

export function addBackend(databasePath: string, values: NewBackendValues): void {
  const editor = BackendEditor.open(databasePath, { mayCreate: false });
  try {
    const outcome = editor.add(values);
    if (outcome === 'exists') throw new Error(`backend ${values.id} exists`);
  } finally {
    editor.close();
  }
}

/** SIGHUP, then the log line that tells the outcome. */
export async function reload(proxy: ProxyProcess, outcome: RegExp = /^routing table in force$/): Promise<LogLine> {
  const seen = proxy.log.next(({ msg }) => outcome.test(String(msg)));
  proxy.signal('SIGHUP');
  return seen;
}

/** Changes rows and waits until the new table is in force. */
export async function edit(proxy: ProxyProcess, changes: Readonly<Record<string, BackendValues>>): Promise<void> {
  changeBackends(proxy.databasePath, changes);
  await reload(proxy);
}
