import { routerPlugin } from '../routing/router-plugins.js';
import type { RouterSettings } from '../routing/router.js';
import { LISTENER_FLAG } from '../shared/batch-layout.js';
import { reachableRules, type MatchedRule, type RuleListener } from './rule-programs.js';

/** A rule, and what it routes by. */
export interface RoutingRule extends MatchedRule {
  readonly router: { readonly plugin: string; readonly options: RouterSettings };
}

/** What a listener has to find out about each client before the client is routed: bits of LISTENER_FLAG. */
export function neededBy(rules: readonly RoutingRule[], listener: Pick<RuleListener, 'protocol' | 'port'>): number {
  let flags = 0;
  for (const { matcher, router } of reachableRules(rules, listener)) {
    const { type } = matcher;
    if (type === 'destination_ip' || type === 'custom') flags |= LISTENER_FLAG.DESTINATION;
    // Only TCP has a ClientHello in the first bytes of a stream.
    if (listener.protocol !== 'tcp') continue;
    if (type === 'sni' || type === 'custom' || readsHello(router)) flags |= LISTENER_FLAG.HELLO;
  }
  return flags;
}

function readsHello({ plugin, options }: RoutingRule['router']): boolean {
  return routerPlugin(plugin)?.readsHello?.(options) ?? false;
}
