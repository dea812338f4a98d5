/** What a worker does differently from another configuration; the primary tells it at birth and whenever it changes. */
import { defaultLimits } from '../adapters/inbound/config/listeners-of.js';
import type { NativeAcceptor, NativeRateRule, NativeRelayLimits } from '../adapters/outbound/native/native-addon.js';
import type { LoadLimits } from '../application/worker-load.js';
import type { ProxyConfig } from '../application/proxy-config.js';
import { rateLimitOf } from '../application/rate-limit-of.js';
import type { AdmissionSettings } from '../domain/admission/admission.js';
import { RateRule } from '../domain/admission/rate-rule.js';
import type { DescriptorBudget } from './descriptor-budget.js';
import { listenerWords, type ListenerSettings } from './listener-words.js';

export interface WorkerSettings extends NativeRelayLimits, LoadLimits {
  readonly bindingTtlSecs: number;
  readonly admission: AdmissionSettings;
}

/** The same limits for the acceptor, which takes the connections in hand-off mode. */
export function acceptorLimits(settings: WorkerSettings): Parameters<NativeAcceptor['configure']>[0] {
  const { maxConnections, maxConnectionsTotal, listeners, rateRule } = settings;
  return { maxConnectionsPerWorker: maxConnections, maxConnectionsTotal, listeners, rateRule };
}

/** `listeners` are all that there may be connections of. */
export function workerSettings(
  config: ProxyConfig,
  budget: DescriptorBudget,
  listeners: readonly ListenerSettings[],
): WorkerSettings {
  return {
    // The bindings' clock counts whole seconds: half of one would be none.
    bindingTtlSecs: Math.ceil(config.bindingTtlSecs),
    admission: { maxConnectionsPerIp: config.maxConnectionsPerIp, rateLimit: rateLimitOf(config) },
    rateRule: rateRuleOf(config),
    maxConnections: budget.maxConnections,
    maxUdpSessions: udpShare(config, budget.maxConnections),
    maxConnectionsTotal: config.maxConnectionsTotal,
    bufferBytes: config.bufferBytes,
    maxPipes: budget.maxPipes,
    connectRetries: config.connectRetries,
    isSpliceEnabled: config.isSpliceEnabled,
    poolMaxPerBackend: config.isPoolEnabled ? config.poolMaxPerBackend : 0,
    poolMaxConnections: budget.maxWarmConnections,
    poolIdleTimeoutMs: config.poolIdleTimeoutSecs * 1000,
    poolMaxLifetimeMs: config.poolMaxLifetimeSecs * 1000,
    poolConnectTimeoutMs: config.poolConnectTimeoutSecs * 1000,
    listeners: listenerWords(listeners, defaultLimits(config)),
    overloadLagMs: config.overloadLagMs,
    overloadMemoryMb: config.overloadMemoryMb,
    overloadDescriptorsPercent: config.overloadDescriptorsPercent,
  };
}

/** Half, where there are TCP clients too: forged datagrams must not take the places of connections. */
function udpShare({ listeners }: Pick<ProxyConfig, 'listeners'>, maxConnections: number): number {
  return listeners.some(({ protocol }) => protocol === 'tcp') ? Math.ceil(maxConnections / 2) : maxConnections;
}

/** Fields alone: a worker gets them as JSON. */
function rateRuleOf(config: ProxyConfig): NativeRateRule | null {
  const limit = rateLimitOf(config);
  if (limit === null) return null;
  const { tickMicros, slackTicks, fingerprint } = new RateRule(limit);
  return { tickMicros, slackTicks, fingerprint };
}
