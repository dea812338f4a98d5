/** The admin API of a proxy under test. */
import { startProxy, type ProxyOptions, type ProxyProcess } from './proxy-process.js';
import type { Owner } from './scratch-directory.js';

const API_ENV = { EDGEPROXY_API_ENABLED: 'on', EDGEPROXY_API_LISTEN_ADDR: '127.0.0.1:0' };
const DEADLINE_MS = 20_000;

export interface ApiAnswer {
  readonly status: number;
  /** null where there is none. */
  readonly body: unknown;
}

export class AdminApi {
  readonly url: string;

  constructor(port: number) {
    this.url = `http://127.0.0.1:${port}`;
  }

  async send(method: 'GET' | 'DELETE', path: string): Promise<ApiAnswer> {
    const response = await fetch(this.url + path, { method, signal: AbortSignal.timeout(DEADLINE_MS) });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : (JSON.parse(text) as unknown) };
  }
}

/** Starts a proxy that serves its admin API, without a token. */
export async function startWithApi(
  owner: Owner,
  options: ProxyOptions = {},
): Promise<{ readonly proxy: ProxyProcess; readonly api: AdminApi }> {
  const proxy = await startProxy(owner, { ...options, env: { ...API_ENV, ...options.env } });
  const { port } = await proxy.waitForLog(({ msg }) => msg === 'the admin API is served');
  return { proxy, api: new AdminApi(Number(port)) };
}
