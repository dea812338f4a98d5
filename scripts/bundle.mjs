// Joins what tsc has compiled into a few files. The program is two hundred modules, and Node.js needs 0.2 to 0.3 ms for each to
// find, read and link it: a quarter of the time until the first client is served. Packages stay outside, and so do the modules
// of threads and tests, which are loaded as tsc made them. dist/cli/main.js and dist/cluster/worker.js are replaced; what they
// load lies in dist/chunks.
import { readFileSync, rmSync } from 'node:fs';
import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const DIST = fileURLToPath(new URL('../dist', import.meta.url));

// A module finds files by its own place. Entries and chunks all lie one folder below dist/, so that it can be told in the same way
// whichever of them holds the module.
const keepsItsPlace = {
  name: 'keeps-its-place',
  setup({ onLoad }) {
    onLoad({ filter: /\.js$/ }, ({ path }) => {
      const place = `new URL('../${relative(DIST, path).replaceAll(sep, '/')}', import.meta.url).href`;
      const contents = readFileSync(path, 'utf8').replaceAll('import.meta.url', place);
      return { contents, loader: 'js' };
    });
  },
};

rmSync(`${DIST}/chunks`, { recursive: true, force: true });
await build({
  entryPoints: [`${DIST}/cli/main.js`, `${DIST}/cluster/worker.js`],
  outbase: DIST,
  outdir: DIST,
  allowOverwrite: true,
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  sourcemap: true,
  plugins: [keepsItsPlace],
  logLevel: 'warning',
});
