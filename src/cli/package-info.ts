import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface PackageJson {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** package.json lies two folders above both src/cli and dist/cli. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export function packageVersion(): string {
  return readPackage(ROOT).version;
}

/** [name, installed version] of each dependency; `missing` where it is not installed. */
export function dependencyVersions(): [name: string, version: string][] {
  return Object.keys(readPackage(ROOT).dependencies ?? {}).map((name) => {
    // Beside this package's own node_modules or, installed as a dependency itself, in the one around it.
    const folder = [join(ROOT, 'node_modules', name), join(ROOT, '..', name)].find((path) => existsSync(path));
    return [name, folder === undefined ? 'missing' : readPackage(folder).version];
  });
}

function readPackage(folder: string): PackageJson {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as PackageJson;
}
