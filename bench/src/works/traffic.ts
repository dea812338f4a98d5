/** The works of the load generator: connections, messages, streams, latencies. */
import type { RunContext, ProxyWork } from '../model.js';
import { medianOf } from '../statistics.js';
import { countedColumns, latencyOnlyColumns, loadWork, streamAmount, streamColumns } from './load-work.js';

const CONNECTIONS_IN_FLIGHT = 64;
const STREAMS = 4;
const TRICKLE = { connections: 1_000, rate: 5_000, size: 64 };
const SEQUENCE_SECONDS = 0.4;
const FALLBACK_RATE = 4_000;
const WARMUP_SECONDS = 0.2;

/**
 * Half of HAProxy's peak, the same rate for every proxy: latencies of different proxies compare at the same load only.
 */
function halfOfPeak(run: RunContext): number {
  const peak = ['haproxy', 'nginx'].map((proxy) => medianOf(run.samples('connect', proxy), 'rate')).find(Boolean);
  return Math.round((peak ?? 2 * FALLBACK_RATE) / 2);
}

export const trafficWorks: readonly ProxyWork[] = [
  loadWork({
    name: 'connect',
    title: `connect + 64 B + 64 B back + close, ${CONNECTIONS_IN_FLIGHT} in flight`,
    backend: 'echo',
    columns: countedColumns('connection'),
    load: () => ({ mode: 'connect', connections: CONNECTIONS_IN_FLIGHT, size: 64 }),
  }),
  loadWork({
    name: 'connect-half',
    title: "the same at half of HAProxy's peak rate, latency from the intended start",
    backend: 'echo',
    columns: countedColumns('connection'),
    load: (run) => ({ mode: 'connect', rate: halfOfPeak(run), size: 64 }),
  }),
  loadWork({
    name: 'echo-64',
    title: '64 B ping-pong on 64 connections',
    backend: 'echo',
    columns: countedColumns('message'),
    load: () => ({ mode: 'echo', connections: 64, size: 64 }),
  }),
  loadWork({
    name: 'echo-16k',
    title: '16 KiB ping-pong on 16 connections',
    backend: 'echo',
    columns: countedColumns('message'),
    load: () => ({ mode: 'echo', connections: 16, size: 16_384 }),
  }),
  loadWork({
    name: 'download',
    title: `${STREAMS} streams from the backend`,
    backend: 'source',
    columns: streamColumns,
    load: () => ({ mode: 'download', connections: STREAMS }),
    amount: streamAmount,
  }),
  loadWork({
    name: 'upload',
    title: `${STREAMS} streams to the backend`,
    backend: 'sink',
    columns: streamColumns,
    load: () => ({ mode: 'upload', connections: STREAMS }),
    amount: streamAmount,
  }),
  loadWork({
    name: 'trickle',
    title: `${TRICKLE.size} B now and then on ${TRICKLE.connections} connections, ${TRICKLE.rate} messages/s together`,
    backend: 'echo',
    columns: countedColumns('message'),
    load: () => ({ mode: 'trickle', ...TRICKLE }),
  }),
  loadWork({
    name: 'ttfb',
    title: 'connect to first byte, the backend speaks first, one connection at a time',
    backend: 'banner',
    columns: latencyOnlyColumns,
    load: () => ({ mode: 'ttfb', seconds: SEQUENCE_SECONDS, warmup: WARMUP_SECONDS / 2 }),
  }),
  loadWork({
    name: 'wwr',
    title: 'connect, three writes, then the reply, TCP_NODELAY',
    backend: 'wwr',
    columns: latencyOnlyColumns,
    load: () => ({ mode: 'wwr', seconds: SEQUENCE_SECONDS, warmup: WARMUP_SECONDS / 2 }),
  }),
  loadWork({
    name: 'wwr-nagle',
    title: "the same with Nagle's algorithm on: a delayed ACK of the proxy would show as 40 ms",
    backend: 'wwr',
    columns: latencyOnlyColumns,
    load: () => ({ mode: 'wwr', nagle: true, seconds: SEQUENCE_SECONDS, warmup: WARMUP_SECONDS / 2 }),
  }),
];
