/** The thread that loads the files of custom rules before anybody relies on them: whatever they do at once, they do here. */
import { parentPort, workerData } from 'node:worker_threads';
import type { MatcherSource } from '../../../domain/rules/rules-region.js';
import { foreignMessage } from '../foreign-message.js';
import { loadMatcher, MatcherFault } from './load-matcher.js';

export interface MatcherCheck {
  /** URL of this file. */
  readonly file: string;
  readonly sources: readonly MatcherSource[];
}

/** One after the other: whoever waits knows which of them does not come to an end. */
async function checkAll({ sources }: MatcherCheck): Promise<void> {
  for (const source of sources) parentPort?.postMessage(await faultOf(source));
}

async function faultOf(source: MatcherSource): Promise<string | null> {
  try {
    await loadMatcher(source);
    return null;
  } catch (error) {
    return error instanceof MatcherFault ? error.message : `cannot be loaded: ${foreignMessage(error)}`;
  }
}

// Not awaited: as TypeScript it is loaded by require().
void checkAll(workerData as MatcherCheck);
