/**
 * One key `proxy:backends:NAME` as dynamic-proxy writes it, `{"address": "10.0.0.1:80", "weight": 100, "healthy": true,
 * "last_check": 1700000000, "metadata": {"region": "eu"}}`, read with the tolerance of a row of the routing database: a
 * wrong value costs its default, one that no traffic can be sent without costs the key.
 */
import { readBackendRow, type BackendRowReading, type RowWarning } from '../../../domain/backend-row.js';

/** Longer ones are not read. */
export const MAX_VALUE_BYTES = 16_384;
export const ID_PREFIX = 'redis/';

const ADDRESS = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:]+)):(?<port>\d{1,5})$/;
const WHOLE_NUMBER = /^\d{1,15}$/;

type Fields = Readonly<Record<string, unknown>>;

export function readRedisBackend(name: string, text: string): BackendRowReading {
  const value = parseObject(text);
  if (value === null) return skipped(name, 'value', 'is not a JSON object');
  const { v6, host, port = '' } = ADDRESS.exec(String(value['address']))?.groups ?? {};
  if (port === '') return skipped(name, 'address', 'is not IP:port');
  const metadata = isObject(value['metadata']) ? value['metadata'] : {};
  const { backend, warnings } = readBackendRow(
    {
      id: `${ID_PREFIX}${name}`,
      app: metadata['app'] ?? name,
      region: metadata['region'],
      country: metadata['country'],
      wg_ip: v6 ?? host,
      port: Number(port),
      healthy: value['healthy'],
      weight: value['weight'],
      soft_limit: numberOf(metadata['soft_limit']),
      hard_limit: numberOf(metadata['hard_limit']),
    },
    1,
  );
  return { backend, warnings: warnings.map((warning) => inTermsOfRedis(warning, name)) };
}

export function skipped(name: string, column: string, reason: string): BackendRowReading {
  return { backend: null, warnings: [warningOf(name, column, `${reason}; the key is left out`)] };
}

function inTermsOfRedis({ column, reason, isSkipped }: RowWarning, name: string): RowWarning {
  const isAddress = column === 'wg_ip' || column === 'port';
  return { ...warningOf(name, isAddress ? 'address' : column, reason), isSkipped };
}

function warningOf(name: string, column: string, reason: string): RowWarning {
  return { row: `${ID_PREFIX}${name.slice(0, 255)}`, column, reason, isSkipped: true };
}

function parseObject(text: string): Fields | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Metadata are texts there. */
function numberOf(value: unknown): unknown {
  return typeof value === 'string' && WHOLE_NUMBER.test(value) ? Number(value) : value;
}
