/**
 * The endpoint that Prometheus asks: one path, GET and HEAD, and bounds on everything a client could hold. Gathering takes
 * time on the primary's loop, so an answer serves everybody who asks while it is gathered and for ten times as
 * long afterwards: a tenth of the loop at most, however often somebody asks.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ListenAddress } from '../../../application/listener-config.js';
import { MAX_METRICS_CONNECTIONS } from './metrics-limits.js';

export interface MetricsServerOptions {
  readonly path: string;
  readonly contentType: string;
  readonly render: () => Promise<Buffer>;
  readonly onFailure: (error: unknown) => void;
}

const REQUEST_MS = 5_000;
/** How often those limits are looked at; half a minute unless told. */
const LOOK_MS = 1_000;
const SILENCE_MS = 30_000;
const MAX_HEADER_BYTES = 8_192;
const REST_SHARE = 10;

export class MetricsServer {
  readonly #options: MetricsServerOptions;
  readonly #server: Server;
  #answer: Promise<Buffer> | null = null;
  #freshUntilMs = Infinity;

  constructor(options: MetricsServerOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        requestTimeout: REQUEST_MS,
        headersTimeout: REQUEST_MS,
        connectionsCheckingInterval: LOOK_MS,
      },
      (request, response) => void this.#serve(request, response),
    );
    this.#server.maxConnections = MAX_METRICS_CONNECTIONS;
    // Also of a client that does not read its answer.
    this.#server.timeout = SILENCE_MS;
    // Nor of one that sends nothing whole, and does not close its own side either.
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** The address with its real port; rejects with the system's error. */
  async listen({ address, port }: ListenAddress): Promise<ListenAddress> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: address, port }, () => {
        this.#server.off('error', reject).on('error', this.#options.onFailure);
        resolve();
      });
    });
    const bound = this.#server.address() as AddressInfo;
    return { address: bound.address, port: bound.port };
  }

  /** Idempotent. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path] = (request.url ?? '').split('?', 1);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      // What it sends is not read.
      response.shouldKeepAlive = false;
      return end(response.setHeader('Allow', 'GET, HEAD'), 405, 'method not allowed\n');
    }
    if (path !== this.#options.path) return end(response, 404, 'not found\n');
    try {
      const text = await this.#rendered();
      end(response.setHeader('Content-Type', this.#options.contentType), 200, text);
    } catch (error) {
      this.#options.onFailure(error);
      end(response, 500, 'metrics cannot be gathered\n');
    }
  }

  #rendered(): Promise<Buffer> {
    if (this.#answer === null || performance.now() > this.#freshUntilMs) {
      const startMs = performance.now();
      this.#freshUntilMs = Infinity;
      this.#answer = this.#options.render().finally(() => {
        const endMs = performance.now();
        this.#freshUntilMs = endMs + REST_SHARE * (endMs - startMs);
      });
    }
    return this.#answer;
  }
}

/** Node.js leaves the body out for HEAD. */
function end(response: ServerResponse, status: number, text: string | Buffer): void {
  response.statusCode = status;
  if (!response.hasHeader('Content-Type')) response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.setHeader('Content-Length', Buffer.byteLength(text)).end(text);
}
