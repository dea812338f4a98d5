import { BackendEditor } from '../../src/adapters/outbound/sqlite/backend-editor.js';
import type { ChaosBackend } from './backend.js';
import type { RouteEdit } from './schedule.js';

/** Edits the routing database as `edgeproxy backend` does; a row that is removed already stays so until it is restored. */
export function editRoute(
  databasePath: string,
  id: string,
  backend: ChaosBackend,
  edit: RouteEdit,
  weight: number,
): void {
  const editor = BackendEditor.open(databasePath, { mayCreate: false });
  try {
    switch (edit) {
      case 'drain':
        editor.change(id, { draining: 1 });
        return;
      case 'disable':
        editor.change(id, { healthy: 0 });
        return;
      case 'remove':
        editor.change(id, { deleted: 1 });
        return;
      case 'weight':
        editor.change(id, { weight });
        return;
      case 'restore':
        restore(editor, id, backend);
        return;
    }
  } finally {
    editor.close();
  }
}

function restore(editor: BackendEditor, id: string, { address, port }: ChaosBackend): void {
  const values = { wg_ip: address, port, app: 'test', region: 'sa', healthy: 1, weight: 1, hard_limit: 0 };
  if (editor.add({ id, ...values }) === 'exists') editor.change(id, { ...values, draining: 0 });
}
