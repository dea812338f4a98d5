/** Rules that no client can ever match: nothing is wrong with them, and nobody means them. */
import type { ListenerConfig } from '../../../application/listener-config.js';
import type { MatcherConfig, RuleConfig } from '../../../application/rule-config.js';
import type { FileRule } from './structures/rules.js';

type Protocol = ListenerConfig['protocol'];

const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp'];

export function ruleWarnings(rules: readonly FileRule[], listeners: readonly ListenerConfig[]): string[] {
  return rules.flatMap(({ place, rule }, index) => {
    const reason = unreachable(rule, listeners) ?? shadowed(rule, rules.slice(0, index), listeners);
    return reason === null ? [] : [`${place}: this rule can never match: ${reason}`];
  });
}

function unreachable(rule: RuleConfig, listeners: readonly ListenerConfig[]): string | null {
  const spoken = listeners.filter(({ protocol }) => speaks(rule, protocol));
  if (spoken.length === 0) return `no listener speaks ${rule.protocol}`;
  if (rule.matcher.type === 'sni' && rule.protocol === 'udp') return 'names of servers are known of TLS over TCP alone';
  const ports = portsOf(rule.matcher);
  // Port 0 becomes one that nobody knows yet.
  const isReached = spoken.some(({ address: { port } }) => port === 0 || (port >= ports.start && port <= ports.end));
  if (isReached) return null;
  const wanted = ports.start === ports.end ? `port ${ports.start}` : `a port from ${ports.start} to ${ports.end}`;
  return `no listener has ${wanted}${rule.protocol === 'both' ? '' : ` and speaks ${rule.protocol}`}`;
}

/** By rules before it, for each protocol that it speaks. */
function shadowed(rule: RuleConfig, before: readonly FileRule[], listeners: readonly ListenerConfig[]): string | null {
  const spoken = PROTOCOLS.filter(
    (wanted) => speaks(rule, wanted) && listeners.some(({ protocol }) => protocol === wanted),
  );
  const places = spoken.map((protocol) => {
    return before.find((other) => speaks(other.rule, protocol) && covers(other.rule.matcher, rule.matcher))?.place;
  });
  if (places.includes(undefined)) return null;
  return `all that it matches is matched by ${[...new Set(places)].join(' and ')} before it`;
}

function covers(one: MatcherConfig, other: MatcherConfig): boolean {
  if (one.type === 'any') return true;
  if (!isOfPorts(one) || !isOfPorts(other)) return false;
  const [outer, inner] = [portsOf(one), portsOf(other)];
  return outer.start <= inner.start && inner.end <= outer.end;
}

function isOfPorts({ type }: MatcherConfig): boolean {
  return type === 'port' || type === 'port_range';
}

function portsOf(matcher: MatcherConfig): { readonly start: number; readonly end: number } {
  if (matcher.type === 'port_range') return matcher;
  return matcher.type === 'port' ? { start: matcher.port, end: matcher.port } : { start: 0, end: Infinity };
}

function speaks({ protocol }: RuleConfig, wanted: Protocol): boolean {
  return protocol === 'both' || protocol === wanted;
}
