import { Worker } from 'node:worker_threads';
import type { MatcherSource } from '../../../domain/rules/rules-region.js';
import { foreignMessage } from '../foreign-message.js';
import { threadFile } from '../thread-file.js';
import type { MatcherCheck } from './matcher-check.worker.js';

/**
 * Not the file itself: run from src/ with tsx, it is TypeScript, which in a thread can be required, but neither be its entry nor
 * be imported.
 */
const ENTRY = new URL(`data:text/javascript,
  import { createRequire } from 'node:module';
  import { fileURLToPath } from 'node:url';
  import { workerData } from 'node:worker_threads';
  const { file } = workerData;
  if (file.endsWith('.ts')) createRequire(file)(fileURLToPath(file));
  else await import(file);
`);
/** Of each file. */
const LONGEST_LOAD_MS = 5000;

/**
 * Why each of these cannot be the function of a custom rule, null where it can. They are loaded in a thread that is ended
 * afterwards, so one that runs for ever, or ends its process, does no harm.
 */
export async function checkMatchers(sources: readonly MatcherSource[]): Promise<readonly (string | null)[]> {
  const faults: (string | null)[] = [];
  while (faults.length < sources.length) faults.push(...(await checkInThread(sources.slice(faults.length))));
  return faults;
}

/** Of the first ones: up to the one that the thread does not get over. */
function checkInThread(sources: readonly MatcherSource[]): Promise<(string | null)[]> {
  const faults: (string | null)[] = [];
  const workerData: MatcherCheck = { file: threadFile(import.meta.url, 'matcher-check.worker'), sources };
  const thread = new Worker(ENTRY, { workerData });
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout;
    const end = (fault: string | null): void => {
      clearTimeout(timer);
      thread.removeAllListeners();
      // Whatever it still throws is its own affair.
      thread.on('error', () => undefined);
      void thread.terminate();
      if (fault !== null) faults.push(fault);
      resolve(faults);
    };
    const wait = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => end(`does not end loading within ${LONGEST_LOAD_MS / 1000} s`), LONGEST_LOAD_MS);
    };
    thread.on('message', (fault: string | null) => {
      faults.push(fault);
      if (faults.length === sources.length) end(null);
      else wait();
    });
    thread.on('error', (error: Error) => end(`fails: ${foreignMessage(error)}`));
    thread.on('exit', () => end('ends the process that loads it'));
    wait();
  });
}
