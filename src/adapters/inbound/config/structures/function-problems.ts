import { checkMatchers } from '../../../outbound/matchers/check-matchers.js';
import type { TomlDocument } from '../toml-document.js';
import { placeOf } from './issues.js';
import type { FileRule } from './rules.js';

/** What is wrong with the files of custom rules: each is loaded once, in a thread of its own. */
export async function functionProblems(document: TomlDocument, rules: readonly FileRule[]): Promise<string[]> {
  const custom = rules.flatMap(({ path, rule: { matcher } }) => (matcher.type === 'custom' ? [{ path, matcher }] : []));
  const faults = await checkMatchers(custom.map(({ matcher }) => matcher));
  return custom.flatMap(({ path, matcher }, index) => {
    const fault = faults[index] ?? null;
    if (fault === null) return [];
    const place = placeOf(document, [...path, 'matcher']);
    return [`${place}: ${matcher.file} ${fault}`];
  });
}
