/**
 * The lines of the access log. Written by hand: a line through pino's serializers takes more than twice as long, and at 50,000
 * connections a second that is felt. Whatever comes from outside (server names, names of backends, rules and listeners) is printable
 * ASCII in a line, quotes and backslashes escaped: no name can end a line or a field.
 */
import { formatIpAddress } from '../ip-address.js';
import type { AccessEntry } from './access-entry.js';
import { milliseconds, TimeTexts } from './time-texts.js';

/** What the entry's numbers stand for; null where there is nothing to tell. */
export interface AccessNames {
  listener(entry: AccessEntry): string | null;
  rule(entry: AccessEntry): string | null;
  backend(entry: AccessEntry): string | null;
  country(entry: AccessEntry): string | null;
}

/** `offsetUs` leads from the entry's clock to the time of day since 1970. The line ends in a line feed. */
export type AccessFormat = (entry: AccessEntry, names: AccessNames, offsetUs: number) => string;

const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
const UNSAFE = /[^\x20\x21\x23-\x5b\x5d-\x7e]/g;
const MAPPED_IPV4 = 0xffff;

export const ACCESS_FORMATS = ['json', 'combined'] as const;
export type AccessLogFormat = (typeof ACCESS_FORMATS)[number];

export function accessFormat(format: AccessLogFormat): AccessFormat {
  const times = new TimeTexts();
  return format === 'json'
    ? (entry, names, offsetUs) => jsonLine(entry, names, times.iso(entry.endedUs + offsetUs))
    : (entry, names, offsetUs) => combinedLine(entry, names, times.logStyle(entry.endedUs + offsetUs));
}

function jsonLine(entry: AccessEntry, names: AccessNames, time: string): string {
  const { routedUs, connectedUs, beganUs, endedUs } = entry;
  let line = `{"level":"info","time":"${time}","protocol":"${entry.isUdp ? 'udp' : 'tcp'}"`;
  line += field('listener', names.listener(entry));
  line += `,"client":"${addressOf(entry)}","clientPort":${entry.port}`;
  line += field('country', names.country(entry));
  if (entry.serverName !== '') line += field('serverName', entry.serverName);
  line += field('rule', names.rule(entry));
  line += field('backend', names.backend(entry));
  line += `,"end":"${entry.end}"`;
  if (entry.backendError !== null) line += `,"backendError":"${entry.backendError}"`;
  line += `,"bytesReceived":${entry.bytesReceived},"bytesSent":${entry.bytesSent}`;
  if (entry.isUdp) line += `,"datagramsReceived":${entry.datagramsReceived},"datagramsSent":${entry.datagramsSent}`;
  if (routedUs !== 0) line += `,"routeMs":${milliseconds(routedUs - beganUs)}`;
  if (connectedUs !== 0) line += `,"connectMs":${milliseconds(connectedUs - routedUs)}`;
  return `${line},"totalMs":${milliseconds(endedUs - beganUs)},"retries":${entry.retries},"msg":"connection"}\n`;
}

function combinedLine(entry: AccessEntry, names: AccessNames, time: string): string {
  const { routedUs, connectedUs, beganUs, endedUs, isUdp } = entry;
  const address = addressOf(entry);
  const client = address.includes(':') ? `[${address}]:${entry.port}` : `${address}:${entry.port}`;
  const serverName = entry.serverName === '' ? null : entry.serverName;
  const route = routedUs === 0 ? '-' : milliseconds(routedUs - beganUs);
  const connect = connectedUs === 0 ? '-' : milliseconds(connectedUs - routedUs);
  const datagrams = isUdp ? `${entry.datagramsReceived} ${entry.datagramsSent}` : '- -';
  return (
    `${client} ${names.country(entry) ?? '-'} [${time}] ${isUdp ? 'udp' : 'tcp'} ` +
    `${orDash(names.listener(entry))} ${orDash(serverName)} ${orDash(names.rule(entry))} ${orDash(names.backend(entry))} ` +
    `${entry.end} ${entry.backendError ?? '-'} ${entry.bytesReceived} ${entry.bytesSent} ${datagrams} ` +
    `${route} ${connect} ${milliseconds(endedUs - beganUs)} ${entry.retries}\n`
  );
}

function field(name: string, value: string | null): string {
  return value === null ? '' : `,"${name}":${quoted(value)}`;
}

function orDash(value: string | null): string {
  return value === null ? '"-"' : quoted(value);
}

/** A JSON string of printable ASCII. */
export function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : `"${text.replace(UNSAFE, escapeUnit)}"`;
}

function escapeUnit(unit: string): string {
  if (unit === '"' || unit === '\\') return `\\${unit}`;
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function addressOf({ address }: AccessEntry): string {
  const [word0, word1, word2, word3] = address;
  if (word0 !== 0 || word1 !== 0 || word2 !== MAPPED_IPV4) return formatIpAddress(word0, word1, word2, word3);
  return `${word3 >>> 24}.${(word3 >>> 16) & 255}.${(word3 >>> 8) & 255}.${word3 & 255}`;
}
