// npm runs this after an installation in a clone (`prepare`). Where development packages were left out there is no
// TypeScript to build with: a build that is there is kept, and without one nothing would run.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';

const BUILT = ['../dist/cli/main.js', '../dist/geo/embedded.geo'];

if (isInstalled('typescript')) {
  const { status } = spawnSync('npm', ['run', '--silent', 'build:ts'], { stdio: 'inherit' });
  process.exit(status ?? 1);
}
if (!BUILT.every((path) => existsSync(new URL(path, import.meta.url)))) {
  console.error('edgeproxy: dist/ is not built, and TypeScript, which builds it, is not installed.');
  console.error('Run `npm ci` first, with development packages; `npm prune --omit=dev` removes them afterwards.');
  process.exit(1);
}
console.error('edgeproxy: TypeScript is not installed; dist/ is used as it was built before.');

function isInstalled(name) {
  try {
    createRequire(import.meta.url).resolve(`${name}/package.json`);
    return true;
  } catch {
    return false;
  }
}
