/** A running proxy's admin API, asked as any program would. */
import assert from 'node:assert/strict';
import { startProxy, type ProxyOptions, type ProxyProcess } from './proxy-process.js';
import type { Owner } from './scratch-directory.js';

/** With it the API is served on a free port of the loopback. */
export const API_ENV = { EDGEPROXY_API_ENABLED: 'on', EDGEPROXY_API_LISTEN_ADDR: '127.0.0.1:0' } as const;

const DEADLINE_MS = 20_000;

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface ApiRequest {
  readonly body?: unknown;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export class AdminApi {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  /** Of the latest version, where there was an upgrade. */
  static async of(proxy: ProxyProcess): Promise<AdminApi> {
    await proxy.waitForLog(({ msg }) => msg === 'the admin API is served');
    const line = proxy.log.lines.findLast(({ msg }) => msg === 'the admin API is served');
    return new AdminApi(`http://${String(line?.['address'])}:${Number(line?.['port'])}`);
  }

  /** Any answer, also one without a body, which is null then. */
  async send(method: 'GET' | 'DELETE', path: string): Promise<{ readonly status: number; readonly body: unknown }> {
    const response = await fetch(this.url + path, { method, signal: AbortSignal.timeout(DEADLINE_MS) });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : (JSON.parse(text) as unknown) };
  }

  async ask(method: string, path: string, { body, token, headers = {} }: ApiRequest = {}): Promise<ApiAnswer> {
    const response = await fetch(this.url + path, {
      method,
      signal: AbortSignal.timeout(DEADLINE_MS),
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: response.status, headers: response.headers, body: (await response.json()) as ApiAnswer['body'] };
  }

  /** What it answers, which must be of that status. */
  async expect(status: number, method: string, path: string, request: ApiRequest = {}): Promise<ApiAnswer['body']> {
    const answer = await this.ask(method, path, request);
    assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** The error that it answers with. */
  async refuses(
    status: number,
    method: string,
    path: string,
    request: ApiRequest = {},
  ): Promise<Readonly<Record<string, string>>> {
    const { error } = await this.expect(status, method, path, request);
    return error as Readonly<Record<string, string>>;
  }
}

/** Starts a proxy that serves its admin API, without a token unless the options have one. */
export async function startWithApi(
  owner: Owner,
  options: ProxyOptions = {},
): Promise<{ readonly proxy: ProxyProcess; readonly api: AdminApi }> {
  const proxy = await startProxy(owner, { ...options, env: { ...API_ENV, ...options.env } });
  return { proxy, api: await AdminApi.of(proxy) };
}

/** What a backend of that id at that port of the loopback registers with. */
export function registration(id: string, port: number, more: object = {}): object {
  return { id, app: 'web', region: 'sa', ip: '127.0.0.1', port, ...more };
}
