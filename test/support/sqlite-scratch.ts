/** Scratch routing databases, and other processes that hold or write them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import Database from 'better-sqlite3';

/** A path in a folder of its own that goes when the test ends. */
export function scratchPath(test: TestContext, name = 'routing.db'): string {
  const folder = mkdtempSync(join(tmpdir(), 'edgeproxy-sqlite-'));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, name);
}

/** Runs SQL over a connection of its own. */
export function execSql(path: string, sql: string): void {
  const database = new Database(path);
  try {
    database.exec(sql);
  } finally {
    database.close();
  }
}

export interface OtherProcess {
  /** Sends a line and resolves with the line that answers it. */
  ask(line: string): Promise<string>;
  kill(): Promise<void>;
}

const REQUIRE = createRequire(import.meta.url);

/**
 * Another process with an open connection `database` to the file. `script` is the body of a function of `line`, run once per
 * question; what it returns is the answer.
 */
export async function otherProcess(test: TestContext, path: string, script: string): Promise<OtherProcess> {
  const program = `
    const Database = require(${JSON.stringify(REQUIRE.resolve('better-sqlite3'))});
    const database = new Database(${JSON.stringify(path)});
    const answer = (line) => { ${script} };
    require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => console.log(answer(line)));
    console.log('ready');`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  };
  test.after(kill);
  const next = async (): Promise<string> => {
    const line = await lines.next();
    if (line.done === true) throw new Error('the other process has ended');
    return line.value;
  };
  await next();
  return {
    ask(line) {
      child.stdin.write(`${line}\n`);
      return next();
    },
    kill,
  };
}
