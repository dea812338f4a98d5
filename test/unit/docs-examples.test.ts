/** What the documentation tells people to write into their configuration file is one. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readConfigFile } from '../../src/adapters/inbound/config/config-file.js';
import { loadConfig } from '../../src/adapters/inbound/config/load-config.js';
import { scratchDirectory } from '../support/scratch-directory.js';

const DOCS = fileURLToPath(new URL('../../docs/', import.meta.url));
const EXAMPLE = /```toml\n([^`]*)```/g;

describe('examples of a configuration file', () => {
  for (const name of ['logging.md', 'metrics.md', 'redis.md']) {
    it(`in docs/${name} are valid`, async (t) => {
      const examples = [...readFileSync(join(DOCS, name), 'utf8').matchAll(EXAMPLE)].map(([, text = '']) => text);
      assert.ok(examples.length > 0);
      const path = join(await scratchDirectory(t), 'edgeproxy.toml');
      for (const text of examples) {
        writeFileSync(path, text);
        const host = { cpuCount: 2, isTerminal: false };
        const result = loadConfig({ env: {}, flags: {}, isDemo: false, host, file: await readConfigFile(path) });
        assert.ok(result.isValid, result.isValid ? '' : result.problems.join('\n'));
      }
    });
  }
});
