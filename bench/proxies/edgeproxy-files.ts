/** Configuration files of this proxy for what environment variables cannot say: UDP, and rules. */
import { siteNames } from '../src/site-names.js';

export interface Ends {
  /** Where clients come to. */
  readonly listen: string;
  readonly backend: string;
}

export interface RuleText {
  readonly name: string;
  /** Lines of [rules.matcher]. */
  readonly matcher: readonly string[];
}

/** A file whose rules all lead to the backend. */
export function filteredFile({ listen, backend }: Ends, rules: readonly RuleText[]): string {
  const tables = rules.flatMap(({ name, matcher }) => [
    '[[rules]]',
    `name = "${name}"`,
    'protocol = "tcp"',
    'router = "round_robin"',
    '[rules.matcher]',
    ...matcher,
    '[[rules.backends]]',
    'id = "b1"',
    `address = "${backend}"`,
    '',
  ]);
  return ['[server]', `tcp_bind = "${listen}"`, '', ...tables].join('\n');
}

export function namesFile(ends: Ends): string {
  const rules = siteNames.map((name) => ({ name, matcher: ['type = "sni"', `pattern = "${name}"`] }));
  return filteredFile(ends, rules);
}

export function datagramFile({ listen }: Ends): string {
  return ['[server]', `udp_bind = "${listen}"`, ''].join('\n');
}
