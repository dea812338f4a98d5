// What tsc does not do: the command must be executable, and the embedded geo database must be compiled.
import { chmodSync } from 'node:fs';

chmodSync(new URL('../dist/cli/main.js', import.meta.url), 0o755);
await import('./build-embedded-geo.mjs');
