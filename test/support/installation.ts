/** A copy of the installed program, to break it or to put another version in its place. */
import { cpSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { scratchDirectory, type Owner } from './scratch-directory.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PARTS = ['dist', 'package.json', 'build/Release/edgeproxy.node'];

export class Installation {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
    mkdirSync(join(root, 'build/Release'), { recursive: true });
    for (const part of PARTS) cpSync(join(ROOT, part), join(root, part), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  }

  get main(): string {
    return join(this.root, 'dist/cli/main.js');
  }

  /** Replaces a file, by its path in the installation. */
  put(path: string, code: string): void {
    // In one step, as an installer does it: a process that starts meanwhile reads the one or the other.
    const draft = join(this.root, `${path}.draft`);
    writeFileSync(draft, code);
    renameSync(draft, join(this.root, path));
  }

  /** From the next start on `code` runs first, then the program as it was. */
  beginWith(code: string): void {
    this.put('dist/cli/main.js', `${code};\nawait import('./original.js');\n`);
  }

  /** From the next start on only `code` runs. */
  become(code: string): void {
    this.put('dist/cli/main.js', code);
  }
}

/** In a folder of that name, of its own, until the owner ends. */
export async function install(owner: Owner, name = 'edgeproxy'): Promise<Installation> {
  const installation = new Installation(join(await scratchDirectory(owner), name));
  cpSync(installation.main, join(installation.root, 'dist/cli/original.js'));
  return installation;
}
