/** Asks the API that this page came from. The token stays in this tab's session and goes nowhere else. */
import type { BackendChange, BackendList, EventList, Stats, WorkerList } from './api-types.js';

const TOKEN_KEY = 'edgeproxy-token';
const PATIENCE_MS = 10_000;

/** The API wants a token that it was not given. */
export class TokenNeeded extends Error {}

export class ApiClient {
  #token = sessionStorage.getItem(TOKEN_KEY) ?? '';

  get hasToken(): boolean {
    return this.#token !== '';
  }

  useToken(token: string): void {
    this.#token = token;
    if (token === '') sessionStorage.removeItem(TOKEN_KEY);
    else sessionStorage.setItem(TOKEN_KEY, token);
  }

  stats(): Promise<Stats> {
    return this.#ask<Stats>('GET', 'stats');
  }

  backends(offset: number, limit: number): Promise<BackendList> {
    return this.#ask<BackendList>('GET', `backends?offset=${offset}&limit=${limit}`);
  }

  workers(): Promise<WorkerList> {
    return this.#ask<WorkerList>('GET', 'workers');
  }

  events(): Promise<EventList> {
    return this.#ask<EventList>('GET', 'events');
  }

  async change(id: string, change: BackendChange): Promise<void> {
    await this.#ask('PATCH', `backends/${encodeURIComponent(id)}`, change);
  }

  async #ask<T>(method: 'GET' | 'PATCH', path: string, body?: unknown): Promise<T> {
    const headers = new Headers();
    if (this.#token !== '') headers.set('authorization', `Bearer ${this.#token}`);
    if (body !== undefined) headers.set('content-type', 'application/json');
    const response = await fetch(`/api/v1/${path}`, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      cache: 'no-store',
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (response.status === 401) throw new TokenNeeded();
    const answer: unknown = await response.json().catch(() => null);
    if (!response.ok) throw new Error(reasonOf(answer) ?? `the API answered ${response.status}`);
    return answer as T;
  }
}

/** From the API's form for errors: {error: {message, reason?}}. */
function reasonOf(answer: unknown): string | null {
  const error = (answer as { error?: { message?: unknown; reason?: unknown } } | null)?.error;
  if (typeof error?.message !== 'string') return null;
  return typeof error.reason === 'string' ? `${error.message} (${error.reason})` : error.message;
}
