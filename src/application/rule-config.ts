import type { Backend } from '../domain/backend.js';
import type { MatcherConfig } from '../domain/rules/matcher-config.js';

export type { MatcherConfig };

/** Rules in their order: the first enabled one that matches a client chooses its backend. Those not enabled are left out. */
export interface RuleConfig {
  /** Unique. */
  readonly name: string;
  readonly protocol: 'tcp' | 'udp' | 'both';
  readonly matcher: MatcherConfig;
  readonly router: RouterConfig;
  readonly target: RuleTarget;
}

export interface RouterConfig {
  /** As in [routers.NAME]; a rule may name a plug-in directly, then it is that one's name. */
  readonly name: string;
  readonly plugin: string;
  /** Checked by the plug-in's schema, defaults filled in. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Whether a client comes back to its backend (BINDING_TTL_SECS). */
  readonly hasAffinity: boolean;
}

/** Backends of the rule's own, ids being unique in the rule, or those of an app of the routing database. */
export type RuleTarget = { readonly backends: readonly Backend[] } | { readonly app: string };
