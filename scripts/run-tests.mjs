// Runs every test file under test/ (or the files and folders given) with node's runner, and fails where none ran:
// `node --test` on a folder of TypeScript files runs nothing and exits 0 on Node 20.
import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const roots = process.argv.slice(2);
const files = (roots.length > 0 ? roots : ['test']).flatMap(testFiles);
if (files.length === 0) {
  console.error('no test file found');
  process.exit(1);
}

const reporter = process.env.TEST_REPORTER ?? 'spec';
// Two at a time: these tests start real servers and worker processes, and more would measure the machine.
const args = ['--import', 'tsx', '--test', '--test-concurrency=2', `--test-reporter=${reporter}`, ...files];
const runner = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });

let tail = '';
runner.stdout.on('data', (chunk) => {
  process.stdout.write(chunk);
  tail = (tail + chunk).slice(-4096);
});
runner.on('close', (code) => {
  const passed = /^\S+ pass (\d+)$/m.exec(tail);
  if (code === 0 && !(Number(passed?.[1]) > 0)) {
    console.error('the runner ended without a passed test');
    process.exit(1);
  }
  process.exit(code ?? 1);
});

function testFiles(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(path, name))
    .sort();
}
