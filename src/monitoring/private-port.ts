import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { monotonicMs } from '../shared/clock.ts';
import type { Metrics } from './metrics.ts';
import { createNetworks } from './networks.ts';
import type { Verdict } from './readiness.ts';

const CONNECTIONS_MAX = 64;
/** Strangers who are told 403 at the same time; further ones are hung up on without a word. */
const STRANGERS_MAX = 16;
const HEADER_BYTES_MAX = 8_192;
const ADDRESS_LENGTH_MAX = 512;
const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 65_000;
const REQUESTS_PER_CONNECTION_MAX = 10_000;
const DRAIN_MS = 2_000;
const REFUSAL_MS = 1_000;

const JSON_TYPE = 'application/json; charset=utf-8';
const TEXT_TYPE = 'text/plain; charset=utf-8';
const FORBIDDEN = 'HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

export interface PrivateAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string | Uint8Array;
  /** How long the answer may be kept; 0 means not at all. */
  readonly cacheSeconds: number;
}

export interface PrivatePortOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Networks that may ask, `address/prefix`. Everybody else is turned away before a byte of theirs is read. */
  readonly allowedNetworks: readonly string[];
  readonly metrics: Pick<Metrics, 'render'>;
  readonly readiness: () => Promise<Verdict>;
  /** Answers paths that begin with `/ledger/`. */
  readonly ledger?: (path: string) => Promise<PrivateAnswer>;
  /** Told of an error nobody expected; the other side learns nothing of it. */
  readonly onFault?: (error: unknown) => void;
}

export interface PrivatePort {
  readonly port: number;
  /** Finishes what is under way, for two seconds at most. To be stopped last, so that probes see the node draining (X7). */
  stop(): Promise<void>;
}

/**
 * The port for those who run the service: metrics, health, the public part of the ledger. It is an HTTP server of its own beside
 * the public one, so that nothing of it can be reached from there (H3), with an allow-list and tight limits. It reads no body,
 * speaks GET and HEAD only, and repeats nothing of a request. Rejects when the port cannot be had.
 */
export async function startPrivatePort(options: PrivatePortOptions): Promise<PrivatePort> {
  const startedMs = monotonicMs();
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 1_000,
      insecureHTTPParser: false,
    },
    (request, response) => {
      if (strangers.has(request.socket)) return;
      answer(request, options, startedMs).then(
        (answered) => send(request, response, answered),
        (error: unknown) => {
          options.onFault?.(error);
          send(request, response, INTERNAL);
        },
      );
    },
  );
  const strangers = guard(server, createNetworks(options.allowedNetworks));
  server.maxRequestsPerSocket = REQUESTS_PER_CONNECTION_MAX;
  server.listen(options.port, options.host);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    stop: () => close(server),
  };
}

/**
 * Lets in whom the networks hold, up to the limit. Those who may not ask have a limit of their own, so that they cannot take the
 * connections of those who may. Returns the strangers who are being turned away.
 */
function guard(server: Server, allowed: (address: string | undefined) => boolean): ReadonlySet<Socket> {
  const guests = new Set<Socket>();
  const strangers = new Set<Socket>();
  server.on('connection', (socket) => {
    const mayAsk = allowed(socket.remoteAddress);
    const [others, max] = mayAsk ? [guests, CONNECTIONS_MAX] : [strangers, STRANGERS_MAX];
    if (others.size >= max) {
      socket.destroy();
      return;
    }
    others.add(socket);
    socket.once('close', () => others.delete(socket));
    if (!mayAsk) turnAway(socket);
  });
  return strangers;
}

/** Whoever may not ask holds one of the few connections for a moment only, and nothing they send is looked at. */
function turnAway(socket: Socket): void {
  socket.on('error', () => undefined);
  socket.end(FORBIDDEN);
  const cut = setTimeout(() => socket.destroy(), REFUSAL_MS);
  cut.unref();
  socket.once('close', () => clearTimeout(cut));
}

const text = (status: number, body: string): PrivateAnswer => ({ status, type: TEXT_TYPE, body, cacheSeconds: 0 });
const json = (status: number, body: unknown): PrivateAnswer => ({
  status,
  type: JSON_TYPE,
  body: JSON.stringify(body),
  cacheSeconds: 0,
});

const INTERNAL = text(500, 'internal error\n');
const NOT_FOUND = text(404, 'not found\n');

/** Decides what to answer. Queries are not part of any address here, so one that comes with a query is simply unknown. */
async function answer(
  request: IncomingMessage,
  { metrics, readiness, ledger }: PrivatePortOptions,
  startedMs: number,
): Promise<PrivateAnswer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'only GET and HEAD\n');
  const { headers, url: path = '' } = request;
  if (headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0')
    return text(400, 'no body is expected\n');
  if (path.length > ADDRESS_LENGTH_MAX) return text(414, 'address too long\n');
  if (path === '/metrics') {
    const { type, body } = await metrics.render();
    return { status: 200, type, body, cacheSeconds: 0 };
  }
  // An answer is the proof that the event loop turns: nothing else may make a node look dead, or it would be restarted in vain.
  if (path === '/healthz')
    return json(200, { status: 'alive', uptimeSeconds: Math.floor((monotonicMs() - startedMs) / 1000) });
  if (path === '/readyz') {
    const verdict = await readiness();
    return json(verdict.status === 'unready' ? 503 : 200, verdict);
  }
  if (ledger !== undefined && path.startsWith('/ledger/')) return ledger(path);
  return NOT_FOUND;
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status, type, body, cacheSeconds }: PrivateAnswer,
): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  response.writeHead(status, {
    'content-type': type,
    'content-length': bytes.byteLength,
    'cache-control': cacheSeconds > 0 ? `public, max-age=${cacheSeconds}` : 'no-store',
    'x-content-type-options': 'nosniff',
    ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
    // A body that was announced would otherwise be read as the next request.
    ...(status === 400 || status === 405 ? { connection: 'close' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearTimeout(cut);
}
