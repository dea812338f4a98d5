/**
 * The HTTP server of the admin API: who may ask, how much and how often, and one form for all errors. What it answers is in
 * routes/. Every bound is here or in api-limits.ts: of connections, headers, bodies, requests and time.
 */
import { fastify, type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { AddressInfo, Socket } from 'node:net';
import type { ListenAddress } from '../../../application/listener-config.js';
import { EdgeproxyError } from '../../../domain/edgeproxy-error.js';
import { Access } from './access.js';
import { ApiError, type ApiErrorCode } from './api-error.js';
import { MAX_API_CONNECTIONS } from './api-limits.js';
import { ClientConnections } from './client-connections.js';
import type { Endpoint, Method } from './endpoint.js';
import { openApiDocument } from './openapi.js';
import { RequestRate } from './request-rate.js';

/** A text that everybody may have, for instance a page. */
export interface OpenPage {
  readonly path: string;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly text: string;
}

export interface ApiServerOptions {
  /** null = none is needed, and only this host may ask. */
  readonly token: string | null;
  /** Of one address; 0 = any number. */
  readonly requestsPerSec: number;
  readonly version: string;
  readonly endpoints: readonly Endpoint[];
  readonly pages: readonly OpenPage[];
  readonly onFailure: (error: unknown) => void;
}

export const MAX_BODY_BYTES = 16_384;
const MAX_HEADER_BYTES = 8_192;
/** An id of 255 characters, each of which may be twelve when it is written for a URL. */
const MAX_PARAM_CHARS = 4_096;
const HEADERS_MS = 5_000;
const REQUEST_MS = 10_000;
const KEEP_ALIVE_MS = 15_000;
/** Of a client that does not read its answer. */
const SILENCE_MS = 30_000;
const LOOK_MS = 1_000;
const METHODS: readonly Method[] = ['GET', 'POST', 'PATCH', 'DELETE'];
const NEVER = ['PUT', 'OPTIONS'] as const;
const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
const CODES: ReadonlyMap<number, ApiErrorCode> = new Map([
  [404, 'not_found'],
  [413, 'body_too_large'],
  [415, 'unsupported_media_type'],
]);
const MALFORMED = JSON.stringify(new ApiError('invalid_request', 'This is not HTTP.'));

export class ApiServer {
  readonly #options: ApiServerOptions;
  readonly #app: FastifyInstance;
  readonly #access: Access;
  readonly #rate: RequestRate;
  readonly #connections = new ClientConnections();

  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#access = new Access(options.token);
    this.#rate = new RequestRate(options.requestsPerSec);
    this.#app = createApp((error, reply) => {
      void this.#fail(error, reply);
    });
    this.#bound();
    this.#addHooks();
    this.#addRoutes();
  }

  useRateLimit(requestsPerSec: number): void {
    this.#rate.useLimit(requestsPerSec);
  }

  /** The address with its real port; rejects with the system's error. */
  async listen({ address, port }: ListenAddress): Promise<ListenAddress> {
    await this.#app.listen({ host: address, port });
    this.#app.server.on('error', this.#options.onFailure);
    const bound = this.#app.server.address() as AddressInfo;
    return { address: bound.address, port: bound.port };
  }

  /** Idempotent. */
  close(): void {
    this.#app.close().catch(this.#options.onFailure);
    this.#connections.destroyAll();
  }

  #bound(): void {
    const { server } = this.#app;
    server.maxConnections = MAX_API_CONNECTIONS;
    server.timeout = SILENCE_MS;
    server.on('connection', (socket: Socket) => this.#connections.add(socket));
  }

  #addHooks(): void {
    this.#app.addHook('onRequest', (request, reply, done) => {
      reply.headers(HEADERS);
      if (this.#connections.size > MAX_API_CONNECTIONS / 2) reply.header('connection', 'close');
      this.#checkRate(request.ip);
      this.#access.checkOrigin(request.headers);
      done();
    });
    this.#app.setErrorHandler((error: FastifyError | EdgeproxyError | ApiError, _request, reply) =>
      this.#fail(error, reply),
    );
    this.#app.setNotFoundHandler(() => {
      throw new ApiError('not_found', 'There is no such path.', { reason: '/openapi.json lists all' });
    });
  }

  #addRoutes(): void {
    const { endpoints, pages, version } = this.#options;
    const document = JSON.stringify(openApiDocument(endpoints, version));
    const all = [...pages, { path: '/openapi.json', contentType: 'application/json; charset=utf-8', text: document }];
    for (const { path, contentType, headers = {}, text } of all) {
      this.#app.get(path, (_request, reply) => reply.headers(headers).type(contentType).send(text));
      this.#refuseOthers(path, ['GET']);
    }
    for (const each of endpoints) this.#addEndpoint(each);
    for (const path of new Set(endpoints.map((each) => each.path))) {
      const methods = endpoints.filter((each) => each.path === path).map(({ method }) => method);
      this.#refuseOthers(path, methods);
    }
  }

  #addEndpoint(each: Endpoint): void {
    this.#app.route({
      method: each.method,
      url: each.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      // Before the body is read.
      onRequest: (request, _reply, done) => {
        if (each.isOpen !== true) this.#access.checkToken(request.headers);
        done();
      },
      handler: async (request: FastifyRequest, reply: FastifyReply) => {
        const { params, query, body } = request;
        const answer = await each.run({ params, query, body });
        return reply.status(answer.status).send(answer.body);
      },
    });
  }

  #refuseOthers(path: string, methods: readonly Method[]): void {
    const allow = methods.join(', ');
    this.#app.route({
      method: [...METHODS.filter((method) => !methods.includes(method)), ...NEVER],
      url: path.replaceAll(/\{(\w+)\}/g, ':$1'),
      // What it sends is not read.
      onRequest: () => {
        const reason = `it has ${allow}`;
        throw new ApiError('method_not_allowed', 'The path has no such method.', { reason, headers: { Allow: allow } });
      },
      handler: () => undefined,
    });
  }

  #checkRate(address: string): void {
    const waitMs = this.#rate.take(address, performance.now());
    if (waitMs === 0) return;
    const headers = { 'Retry-After': String(Math.ceil(waitMs / 1000)) };
    const reason = 'EDGEPROXY_API_RATE_LIMIT is reached';
    throw new ApiError('rate_limited', 'Too many requests.', { reason, headers });
  }

  #fail(thrown: FastifyError | EdgeproxyError | ApiError, reply: FastifyReply): FastifyReply {
    const error = thrown instanceof ApiError ? thrown : this.#translated(thrown);
    // What is left of the request is not waited for.
    if (error.code !== 'invalid_request' && error.code !== 'not_found') reply.header('connection', 'close');
    return reply
      .status(error.status)
      .headers({ ...HEADERS, ...error.details.headers })
      .type('application/json; charset=utf-8')
      .send(JSON.stringify(error));
  }

  /** Fastify's own errors are about the request, ours about the database; everything else is a fault of ours. */
  #translated(thrown: FastifyError | EdgeproxyError): ApiError {
    if (thrown instanceof EdgeproxyError) {
      const headers = { 'Retry-After': '1' };
      // The thread that was not waited for any longer goes on.
      const message =
        thrown.code === 'EP_DB_TIMEOUT' ? 'It took too long, and may yet be done.' : 'It cannot be done now.';
      return new ApiError('unavailable', message, { reason: printable(thrown.message), headers });
    }
    const { statusCode = 500, message } = thrown;
    if (statusCode < 500) {
      const code = CODES.get(statusCode) ?? 'invalid_request';
      return new ApiError(code, 'The request is not right.', { reason: printable(message) });
    }
    this.#options.onFailure(thrown);
    return new ApiError('internal', 'The proxy has failed to answer.');
  }
}

function createApp(onFrameworkError: (error: FastifyError, reply: FastifyReply) => void): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    routerOptions: { maxParamLength: MAX_PARAM_CHARS },
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: true,
    http: { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: HEADERS_MS, connectionsCheckingInterval: LOOK_MS },
    frameworkErrors: (error, _request, reply) => onFrameworkError(error, reply),
    clientErrorHandler: (_error, socket) => {
      if (!socket.writable) return void socket.destroy();
      const head = `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: ${MALFORMED.length}`;
      // Whoever never closes its own side must not keep the place.
      socket.end(`${head}\r\nConnection: close\r\n\r\n${MALFORMED}`, () => socket.destroy());
    },
  });
  const readJson = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, text, done) => {
    // A heartbeat has nothing to say, but clients that always name the type are not wrong about it.
    if (text === '') done(null, undefined);
    else void readJson(request, String(text), done);
  });
  return app;
}

/** Parts of the request may be in it. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
}
