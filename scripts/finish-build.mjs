// What tsc does not do: modules are joined, the live page is made, the command must be executable, and the embedded geo
// database must be compiled.
import { chmodSync } from 'node:fs';
import './bundle.mjs';
import './build-page.mjs';

chmodSync(new URL('../dist/cli/main.js', import.meta.url), 0o755);
await import('./build-embedded-geo.mjs');
