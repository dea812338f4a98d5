// The live page of the API: its modules joined into one that browsers load, beside its HTML and its style.
import { cpSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const PAGE = fileURLToPath(new URL('../page', import.meta.url));
const DIST = fileURLToPath(new URL('../dist/page', import.meta.url));

mkdirSync(DIST, { recursive: true });
for (const [from, to] of [
  ['index.html', 'index.html'],
  ['style.css', 'page.css'],
]) {
  cpSync(`${PAGE}/${from}`, `${DIST}/${to}`);
}
await build({
  entryPoints: [`${PAGE}/src/main.ts`],
  outfile: `${DIST}/page.js`,
  bundle: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  minify: true,
  logLevel: 'warning',
});
