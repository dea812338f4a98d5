/** docs/routers.md, "Add your own", followed to the letter in a copy of this tree. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { appendFile, cp, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { edgeproxy } from '../support/edgeproxy-command.js';
import { startProxy } from '../support/proxy-process.js';
import { scratchDirectory } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';
import { visitTogether } from '../support/visit.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Blocks of code of the page, from that heading on, by their language. */
function blocksFrom(page: string, heading: string): { readonly language: string; readonly text: string }[] {
  const section = page.slice(page.indexOf(heading));
  return [...section.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({ language, text }));
}

/** The tree with everything that a build needs. */
async function copyOfTree(t: TestContext): Promise<string> {
  const tree = await scratchDirectory(t);
  const copied = ['src', 'dist', 'tsconfig.json', 'tsconfig.build.json', 'package.json'];
  await Promise.all(copied.map((name) => cp(join(ROOT, name), join(tree, name), { recursive: true })));
  await Promise.all(['node_modules', 'build'].map((name) => symlink(join(ROOT, name), join(tree, name))));
  return tree;
}

describe('docs/routers.md', { timeout: 300_000 }, () => {
  it('begins with a configuration that is valid', async (t) => {
    const [first] = blocksFrom(await readFile(join(ROOT, 'docs/routers.md'), 'utf8'), '# Choosing');
    const toml = join(await scratchDirectory(t), 'edgeproxy.toml');
    await writeFile(toml, first?.text ?? '');
    const { status, stderr } = edgeproxy(['validate', '--config', toml]);
    assert.equal(status, 0, stderr);
  });

  it('shows how to add a router: one file, one line, and rules can have it', async (t) => {
    const blocks = blocksFrom(await readFile(join(ROOT, 'docs/routers.md'), 'utf8'), '## Add your own');
    assert.deepEqual(
      blocks.map(({ language }) => language),
      ['ts', 'ts', 'toml'],
    );
    const [file, line, config] = blocks.map(({ text }) => text);
    const tree = await copyOfTree(t);
    const routers = join(tree, 'src/domain/routing/routers');
    await writeFile(join(routers, 'two-choices.ts'), file ?? '');
    await appendFile(join(routers, 'all.ts'), line ?? '');
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
    await promisify(execFile)(process.execPath, [compiler, '-p', 'tsconfig.build.json'], { cwd: tree });

    const backends = await Promise.all(
      ['a', 'b', 'c'].map((id) => startBackend(t, ({ socket }) => void socket.resume().end(id))),
    );
    const inline = backends.map(
      ({ address, port }, index) => `[[rules.backends]]\nid = "b${index}"\naddress = "${address}:${port}"`,
    );
    const rule = '[[rules]]\nname = "all"\nrouter = "mine"\nmatcher = { type = "port_range", start = 1, end = 65535 }';
    const toml = join(tree, 'edgeproxy.toml');
    await writeFile(toml, [config, rule, ...inline, ''].join('\n'));
    const proxy = await startProxy(t, { args: ['--config', toml], main: join(tree, 'dist/cli/main.js') });
    const answers = new Set(await Promise.all(visitTogether(t, proxy, 60)));
    assert.deepEqual([...answers].sort(), ['a', 'b', 'c']);
  });
});
