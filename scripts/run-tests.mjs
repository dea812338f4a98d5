// Runs every test file under test/ (or the files and folders given) with node's runner, ends with its summary, and fails
// where no test passed or a file has none: `node --test` on a folder of TypeScript files runs nothing and exits 0 on
// Node 20, and it counts a file without tests as a test that passed.
// TEST_REPORTER chooses what is shown meanwhile; the summary is read from a second report, which no choice changes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** Several times what it takes on two busy cores: each test has a limit of its own, this is for a runner that hangs. */
const LIMIT_MS = 40 * 60_000;
/** Between asking the runner to end its files and ending the runner. */
const GRACE_MS = 10_000;
/** More is no bad luck. */
const MOST_RETRIED = 3;
const FIRST_OF_SUMMARY = '\n# tests ';

const roots = process.argv.slice(2);
const files = (roots.length > 0 ? roots : ['test']).flatMap(testFiles);
if (files.length === 0) fail('no test file found');

const directory = mkdtempSync(join(tmpdir(), 'edgeproxy-tests-'));
process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
let runner = null;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, endRunner);

// Two at a time: these tests start real servers and worker processes, and more would measure the machine.
const first = await run(files, 2);
const empty = files.filter((file) => isTestOfItsOwn(file, first.tap));
if (empty.length > 0) fail(`no test in ${empty.join(', ')}`);
if (first.code !== 0) await runAgain(failedFiles(first.tap));
process.exit(0);

/** Ends this process where the runner did not come to its end, or nothing passed. */
async function run(paths, concurrency) {
  const report = join(directory, `report-${concurrency}.tap`);
  runner = spawn(process.execPath, runnerArguments(paths, concurrency, report), {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  let unfinished = null;
  const limit = setTimeout(() => {
    unfinished = runningFiles().join(', ');
    endRunner();
  }, LIMIT_MS);
  const [code] = await once(runner, 'close');
  clearTimeout(limit);
  const tap = textOf(report);
  const summary = closingSummary(tap);
  if (summary !== '') console.log(`\n${summary}`);
  if (unfinished !== null)
    fail(`the tests did not end within ${LIMIT_MS / 60_000} minutes; still running: ${unfinished}`);
  if (!/^pass [1-9]/m.test(summary)) fail('the runner ended without a passed test');
  return { code: code ?? 1, tap };
}

/**
 * Where TEST_RETRY is set, for machines that others use as well: a few files that failed get a second chance, alone. What
 * passes then is named, for it is a race of the test or of the program all the same.
 */
async function runAgain(failed) {
  if (process.env.TEST_RETRY !== '1' || failed.length === 0 || failed.length > MOST_RETRIED) process.exit(1);
  console.log(`\nrunning again, alone: ${failed.join(', ')}`);
  const { code } = await run(failed, 1);
  if (code !== 0) process.exit(code);
  console.log(`\nUNSTABLE, failed among others and passed alone: ${failed.join(', ')}`);
}

function runnerArguments(paths, concurrency, report) {
  const shown = [`--test-reporter=${process.env.TEST_REPORTER || 'spec'}`, '--test-reporter-destination=stdout'];
  const kept = ['--test-reporter=tap', `--test-reporter-destination=${report}`];
  return ['--import', 'tsx', '--test', `--test-concurrency=${concurrency}`, ...shown, ...kept, ...paths];
}

/** None where a failure in the report does not say where its test stands: then nobody knows what to run again. */
function failedFiles(tap) {
  const failures = [...tap.matchAll(/^ *not ok .*\n *---\n((?: .*\n)*?) *\.\.\.$/gm)];
  const places = failures.map(([, details]) => /^ *location: '(.*?):\d+:\d+'$/m.exec(details)?.[1]);
  const isKnown = failures.length === tap.match(/^ *not ok /gm)?.length && !places.includes(undefined);
  return isKnown ? [...new Set(places)] : [];
}

/** The counts at the end of the report; '' where the runner did not come to its end. */
function closingSummary(tap) {
  const start = tap.lastIndexOf(FIRST_OF_SUMMARY);
  return start < 0 ? '' : tap.slice(start).replaceAll('\n# ', '\n').trim();
}

/** Node reports a file by its name, absolute or as given, only where it found no test in it. */
function isTestOfItsOwn(file, tap) {
  return [file, resolve(file)].some((name) => tap.includes(`\n# Subtest: ${name}\n`));
}

/** Each file runs in a child process of the runner, as its last argument. */
function runningFiles() {
  const children = textOf(`/proc/${runner.pid}/task/${runner.pid}/children`).trim().split(' ');
  return children.map((pid) => textOf(`/proc/${pid}/cmdline`).split('\0').at(-2) ?? '(ended)');
}

function textOf(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function endRunner() {
  runner.kill('SIGTERM');
  setTimeout(() => runner.kill('SIGKILL'), GRACE_MS).unref();
}

function fail(reason) {
  console.error(reason);
  process.exit(1);
}

function testFiles(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(path, name))
    .sort();
}
