/** Asks a running proxy's admin API. */
import { EdgeproxyError } from '../../domain/edgeproxy-error.js';
import { cleanText } from './clean-text.js';

export interface AdminAddress {
  /** Without a path. */
  readonly url: string;
  /** null = none. */
  readonly token: string | null;
}

const TIMEOUT_MS = 5000;
const MAX_ANSWER_BYTES = 32 << 20;
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ENOTFOUND: 'there is no such host',
  ECONNRESET: 'the connection was reset',
  UND_ERR_SOCKET: 'the connection was closed',
  TimeoutError: `no answer within ${TIMEOUT_MS / 1000} s`,
};

export class AdminClient {
  readonly #address: AdminAddress;

  constructor(address: AdminAddress) {
    this.#address = address;
  }

  /** The answer, parsed. Rejects with EP_API_UNREACHABLE, EP_API_DENIED or EP_API_ANSWER. */
  async get(path: string): Promise<unknown> {
    const { status, text } = await this.#fetch(path);
    if (status === 401 || status === 403) throw this.#denied(status, text);
    const answer = parse(text);
    if (status === 200 && answer !== undefined) return answer;
    const what = status === 200 ? 'something that is no JSON' : `status ${status}${reasonIn(answer)}`;
    throw failure('EP_API_ANSWER', `${this.#address.url}${path} answers ${what}; is it edgeproxy's admin API?`);
  }

  async #fetch(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const { url, token } = this.#address;
    try {
      const response = await fetch(url + path, {
        headers: token === null ? {} : { authorization: `Bearer ${token}` },
        // The token is for this address alone.
        redirect: 'manual',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      return { status: response.status, text: await textOf(response) };
    } catch (cause) {
      if (cause instanceof EdgeproxyError) throw cause;
      const advice = 'EDGEPROXY_API_ENABLED switches it on; --api says where it is';
      const message = `The admin API at ${url} cannot be reached: ${reasonOf(cause)}; ${advice}.`;
      throw failure('EP_API_UNREACHABLE', message, cause);
    }
  }

  #denied(status: number, text: string): EdgeproxyError {
    const { url, token } = this.#address;
    const given = token === null ? 'wants a token' : 'does not take this token';
    const what = status === 401 ? given : `refuses this request${reasonIn(parse(text))}`;
    const message = `The admin API at ${url} ${what}; EDGEPROXY_API_TOKEN or --token-file gives one.`;
    return failure('EP_API_DENIED', message);
  }
}

/** Of a stranger it may be without end. */
async function textOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES)
      throw failure('EP_API_ANSWER', `The answer is longer than ${MAX_ANSWER_BYTES >> 20} MiB.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** What the API itself says of an error. */
function reasonIn(answer: unknown): string {
  const { error } = (answer ?? {}) as { readonly error?: { readonly message?: unknown; readonly reason?: unknown } };
  const said = [error?.message, error?.reason].filter((part) => typeof part === 'string');
  return said.length === 0 ? '' : ` (${cleanText(said.join(' ')).slice(0, 300)})`;
}

function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return 'unknown';
  const cause = thrown.cause instanceof Error ? thrown.cause : thrown;
  const code = (cause as NodeJS.ErrnoException).code;
  const known = REASONS[String(code)] ?? REASONS[cause.name];
  return known ?? cleanText(cause.message === '' ? String(code) : cause.message);
}

function failure(code: `EP_${string}`, message: string, cause?: unknown): EdgeproxyError {
  return new EdgeproxyError(code, message, { source: 'internal', isRetryable: true, cause });
}
