/** [[rules]], in their order. */
import type { TomlTable, TomlValue } from 'smol-toml';
import type { RuleConfig, RuleTarget } from '../../../../application/rule-config.js';
import type { Backend } from '../../../../domain/backend.js';
import type { TomlDocument } from '../toml-document.js';
import type { TomlPath } from '../toml-lines.js';
import { isTable } from '../toml-value.js';
import { issueProblems, placeOf, problemAt } from './issues.js';
import { matcherSchema, MOST_CIDRS } from './matcher-schema.js';
import { matcherOf } from './matchers.js';
import type { Routers } from './routers.js';
import { MOST_RULES, ruleSchema, type BackendTable, type RuleTable } from './rule-schema.js';

export interface FileRule {
  /** File, line and key, as messages name it. */
  readonly place: string;
  /** In the document. */
  readonly path: TomlPath;
  readonly rule: RuleConfig;
}

type Refuse = (key: TomlPath, expected: string) => void;

/** Those that are enabled; what is not is checked, too. */
export function readRules(
  document: TomlDocument,
  value: TomlValue | undefined,
  routers: Routers,
  problems: string[],
): FileRule[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    problems.push(problemAt(document, ['rules'], 'tables [[rules]]', null));
    return [];
  }
  if (value.length > MOST_RULES) {
    problems.push(problemAt(document, ['rules'], `at most ${MOST_RULES}`, `${value.length} of them`));
    return [];
  }
  const rules = value.flatMap((_, index) => readRule(document, value, index, routers, problems));
  const cidrs = rules.reduce((sum, { rule }) => sum + cidrCount(rule), 0);
  if (cidrs > MOST_CIDRS)
    problems.push(problemAt(document, ['rules'], `at most ${MOST_CIDRS} networks`, `${cidrs} of them`));
  return rules;
}

function readRule(
  document: TomlDocument,
  tables: readonly TomlValue[],
  index: number,
  routers: Routers,
  problems: string[],
): FileRule[] {
  const path = ['rules', index];
  const written = tables[index];
  problems.push(...duplicateNames(document, [], tables, index, 'rules', 'name'));
  problems.push(...duplicateBackends(document, path, written));
  const parsed = ruleSchema.safeParse(written);
  if (!parsed.success) {
    problems.push(...issueProblems(document, path, parsed.error.issues));
    if (written !== undefined && isTable(written)) problems.push(...otherProblems(document, path, written, routers));
    return [];
  }
  const rule = ruleOf(document, path, parsed.data, routers, problems);
  return rule === null || !parsed.data.enabled ? [] : [{ place: placeOf(document, path), path, rule }];
}

/** What keys of a table that is wrong elsewhere make together: people want to hear of all mistakes at once. */
function otherProblems(document: TomlDocument, path: TomlPath, written: TomlTable, routers: Routers): string[] {
  const { router, app, backends, matcher } = written;
  if (typeof router === 'string') routers.resolve(router, [...path, 'router']);
  const found: string[] = [];
  const refuse: Refuse = (key, expected) => found.push(problemAt(document, [...path, ...key], expected, null));
  refuseTarget(app !== undefined, backends !== undefined, refuse);
  const table = matcher === undefined ? undefined : matcherSchema.safeParse(matcher).data;
  const read = matcherOf(table);
  if ('key' in read) refuse(['matcher', ...read.key], read.expected);
  return found;
}

function ruleOf(
  document: TomlDocument,
  path: TomlPath,
  table: RuleTable,
  routers: Routers,
  problems: string[],
): RuleConfig | null {
  const refuse: Refuse = (key, expected) => problems.push(problemAt(document, [...path, ...key], expected, null));
  const router = routers.resolve(table.router, [...path, 'router']);
  const matcher = matcherOf(table.matcher);
  if ('key' in matcher) refuse(['matcher', ...matcher.key], matcher.expected);
  const target = targetOf(table, refuse);
  if (router === null || 'key' in matcher || target === null) return null;
  return { name: table.name, protocol: table.protocol, matcher, router, target };
}

/** Says whether it did. */
function refuseTarget(hasApp: boolean, hasBackends: boolean, refuse: Refuse): boolean {
  if (hasApp && hasBackends) refuse(['app'], 'app or backends, not both');
  if (!hasApp && !hasBackends) refuse(['backends'], 'tables [[rules.backends]], or app = "…"');
  return hasApp === hasBackends;
}

function targetOf({ app, backends, protocol }: RuleTable, refuse: Refuse): RuleTarget | null {
  if (refuseTarget(app !== undefined, backends !== undefined, refuse)) return null;
  if (backends === undefined) return app === undefined ? null : { app };
  for (const [index, { address }] of backends.entries()) {
    if (address.port === 0 && protocol !== 'tcp') {
      refuse(['backends', index, 'address'], `host:port; a Unix socket is for rules with protocol = "tcp"`);
    }
  }
  return { backends: backends.map((backend) => backendOf(backend, protocol)) };
}

function backendOf(table: BackendTable, protocol: RuleTable['protocol']): Backend {
  const isChecked = table.health_check ?? protocol !== 'udp';
  return {
    id: table.id,
    app: '',
    region: table.region,
    country: table.country,
    address: table.address.address,
    port: table.address.port,
    isHealthy: table.enabled,
    isDraining: false,
    weight: table.weight,
    softLimit: Math.max(1, table.soft_limit),
    hardLimit: table.hard_limit,
    ...(isChecked ? {} : { isUnchecked: true }),
  };
}

function duplicateBackends(document: TomlDocument, path: TomlPath, rule: TomlValue | undefined): string[] {
  const backends = rule !== undefined && isTable(rule) ? rule['backends'] : undefined;
  if (!Array.isArray(backends)) return [];
  return backends.flatMap((_, index) => duplicateNames(document, path, backends, index, 'backends', 'id'));
}

/** Of tables as they are written: one that is wrong in other ways counts, too. */
function duplicateNames(
  document: TomlDocument,
  base: TomlPath,
  tables: readonly TomlValue[],
  index: number,
  array: string,
  key: string,
): string[] {
  const nameAt = (at: number): TomlValue | undefined => {
    const table = tables[at];
    return table !== undefined && isTable(table) ? table[key] : undefined;
  };
  const name = nameAt(index);
  if (name === undefined) return [];
  const first = tables.findIndex((_, at) => nameAt(at) === name);
  if (first === index) return [];
  const place = placeOf(document, [...base, array, first, key]);
  return [problemAt(document, [...base, array, index, key], `another ${key} than that of ${place}`, null)];
}

function cidrCount({ matcher }: RuleConfig): number {
  return 'cidrs' in matcher ? matcher.cidrs.length : 0;
}
