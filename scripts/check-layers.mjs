// Runs dependency-cruiser over src/, and fails where it looked at nothing: without a TypeScript version that it
// supports it finds no module and reports no violation.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { readdirSync } from 'node:fs';

const sources = readdirSync('src', { recursive: true }).filter((name) => name.endsWith('.ts'));
const { status, stdout, stderr } = spawnSync(
  fileURLToPath(new URL('../node_modules/.bin/depcruise', import.meta.url)),
  ['--config', '.dependency-cruiser.cjs', 'src'],
  {
    encoding: 'utf8',
  },
);
process.stderr.write(stderr);
const cruised = Number(/(\d+) modules/.exec(stdout)?.[1] ?? 0);
if (status !== 0) {
  process.stdout.write(stdout);
  process.exit(1);
}
if (cruised < sources.length) {
  console.error(
    `dependency-cruiser looked at ${cruised} modules of ${sources.length}: does it support this TypeScript?`,
  );
  process.exit(1);
}
