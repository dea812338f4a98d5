/**
 * Who may ask. With a token, who has it. Without one the API listens on the loopback alone, and a browser on this host is what
 * could still carry a stranger's request there: by a page of another site, or by a name that was made to lead here (DNS
 * rebinding). So then the Host must be one of this host, and a page that asks must be of the same origin.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isLoopback } from '../../../domain/loopback.js';
import { ApiError } from './api-error.js';

export interface RequestHeaders {
  readonly authorization?: string | undefined;
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly 'sec-fetch-site'?: string | string[] | undefined;
}

const SCHEME = /^bearer +/i;
const HOST = /^(?:\[(?<v6>[^\]]+)\]|(?<name>[^:]+))(?::\d{1,5})?$/;
const OWN_PAGES: readonly unknown[] = [undefined, 'same-origin', 'none'];

export class Access {
  /** null = there is no token. */
  readonly #digest: Buffer | null;

  constructor(token: string | null) {
    this.#digest = token === null ? null : digestOf(Buffer.from(token, 'utf8'));
  }

  /** Throws `forbidden` where a browser may be carrying somebody else's request; every path asks this. */
  checkOrigin({ host, origin, 'sec-fetch-site': site }: RequestHeaders): void {
    if (this.#digest !== null) return;
    if (!isOfThisHost(host)) throw forbidden('Host', 'is not a loopback address or localhost');
    if (!OWN_PAGES.includes(site)) throw forbidden('Sec-Fetch-Site', 'is another site');
    if (origin !== undefined && origin !== `http://${host ?? ''}`) throw forbidden('Origin', 'is another site');
  }

  /** Throws `unauthorized` where there is a token and the request has not got it. */
  checkToken({ authorization = '' }: RequestHeaders): void {
    if (this.#digest === null) return;
    // Node.js gives a header's bytes as Latin-1; of equal length, whatever was sent, so that comparing takes equally long.
    const given = digestOf(Buffer.from(authorization.replace(SCHEME, ''), 'latin1'));
    if (SCHEME.test(authorization) && timingSafeEqual(given, this.#digest)) return;
    const reason = authorization === '' ? 'there is no header Authorization: Bearer' : 'the token is wrong';
    const headers = { 'WWW-Authenticate': 'Bearer realm="edgeproxy"' };
    throw new ApiError('unauthorized', 'A token is needed.', { reason, headers });
  }
}

function digestOf(token: Buffer): Buffer {
  return createHash('sha256').update(token).digest();
}

function isOfThisHost(host = ''): boolean {
  const groups = HOST.exec(host)?.groups;
  const name = groups?.['v6'] ?? groups?.['name'] ?? '';
  return name.toLowerCase() === 'localhost' || isLoopback(name);
}

function forbidden(field: string, reason: string): ApiError {
  return new ApiError('forbidden', 'Without a token only programs of this host may ask.', { field, reason });
}
