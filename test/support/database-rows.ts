/** What stands in a routing database, read beside the proxy that has it open. */
import Database from 'better-sqlite3';

export function rowsOf(databasePath: string, query: string): unknown[] {
  const database = new Database(databasePath, { readonly: true });
  try {
    return database.prepare(query).all();
  } finally {
    database.close();
  }
}
