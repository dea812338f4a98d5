import { pathToFileURL } from 'node:url';
import type { ClientMatcher } from '../../../domain/rules/rule-client.js';
import type { MatcherSource } from '../../../domain/rules/rules-region.js';

/** It can be loaded, and exports another thing. */
export class MatcherFault extends TypeError {}

const EXPECTED = 'its default export has to be a function (config) => (client) => boolean';

/**
 * The function of a custom rule; rejects with what is wrong with the file, in words that follow its name, or as it failed.
 * `attempt` counts the times that it failed before: Node.js keeps a failure like a module.
 */
export async function loadMatcher(source: MatcherSource, attempt = 0): Promise<ClientMatcher> {
  const { file, revision, config } = source;
  const url = pathToFileURL(file);
  // Node.js keeps modules by their URL: another revision is another module.
  url.searchParams.set('revision', revision);
  if (attempt > 0) url.searchParams.set('attempt', String(attempt));
  const { default: make } = (await import(url.href)) as { readonly default?: unknown };
  if (typeof make !== 'function') throw new MatcherFault(`exports ${nameOf(make)} by default; ${EXPECTED}`);
  const matcher: unknown = (make as (config: unknown) => unknown)(config);
  if (typeof matcher !== 'function') throw new MatcherFault(`makes ${nameOf(matcher)} of its config; ${EXPECTED}`);
  return matcher as ClientMatcher;
}

function nameOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
