import { hash } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { Config } from '../config/schema.ts';
import { monotonicMs } from '../shared/clock.ts';
import { FAULTS, type FaultCode } from '../shared/faults.ts';
import { randomToken } from '../shared/random.ts';
import { securityHeaders } from './security-headers.ts';

const URL_LENGTH_MAX = 8192;
/** How long portals may keep discovery and key set; a new key is published at least this long before it signs (B6). */
export const DOCUMENT_AGE_SECONDS = 300;

/** A constant answer: discovery and key set, serialised once and served without touching the stack behind. */
interface ConstantDocument {
  readonly body: string;
  readonly etag: string;
  /** All headers of the answer, names and values in turn: node:http writes them in one go, a fifth faster than one by one. */
  readonly headers: string[];
  readonly notModifiedHeaders: string[];
}

/** Takes the constant documents of one protocol engine, by path. */
export interface Documents {
  keep(path: string, type: string, body: string): void;
}

/** The constant documents of the protocol engine in force. */
export interface DocumentShelf {
  /** Empties the shelf for an engine with other keys. What a request to an engine before still brings is not kept. */
  renew(): Documents;
  find(path: string): ConstantDocument | undefined;
}

export function createDocuments(config: Config): DocumentShelf {
  let kept = new Map<string, ConstantDocument>();
  const security = Object.entries(securityHeaders({ secure: config.issuer.startsWith('https:') })).flat();
  const keepIn = (shelf: Map<string, ConstantDocument>): Documents => ({
    keep(path, type, body) {
      const etag = `"${hash('sha256', body, 'base64url').slice(0, 22)}"`;
      const caching = ['etag', etag, 'cache-control', `public, max-age=${DOCUMENT_AGE_SECONDS}`];
      const common = [...security, ...caching, 'access-control-allow-origin', '*'];
      shelf.set(path, {
        body,
        etag,
        notModifiedHeaders: common,
        headers: [...common, 'content-type', type, 'content-length', String(Buffer.byteLength(body))],
      });
    },
  });
  return {
    renew() {
      kept = new Map();
      return keepIn(kept);
    },
    find: (path) => kept.get(path),
  };
}

/** Says whether this server can do its work right now; never throws. */
export type Readiness = () => Promise<boolean>;

/** Told of each answer, for metrics: the name of its route, and how long it took. */
export type Observe = (route: unknown, method: unknown, status: number, durationMs: number) => void;

export interface FrontOptions {
  readonly config: Config;
  readonly documents: Pick<DocumentShelf, 'find'>;
  readonly ready: Readiness;
  /** True from the moment the server was told to end: then no connection is kept for a further request. */
  readonly draining?: () => boolean;
  /** The Koa application of the protocol engine in force: asked at each request, so that it can be swapped while serving. */
  readonly application: () => RequestListener;
  /** Told of what the front answers by itself; the shell tells of the rest. */
  readonly observe?: Observe;
}

/**
 * What every request meets first, before any parser of ours or the library's: one host, known methods, bounded addresses, one
 * spelling per path, the security headers, and the answers that never change.
 */
export function createFront({
  config,
  documents,
  ready,
  draining = () => false,
  application,
  observe = () => undefined,
}: FrontOptions): RequestListener {
  const host = new URL(config.issuer).host.toLowerCase();
  const scheme = new URL(config.issuer).protocol.slice(0, -1);
  const headers = Object.entries(securityHeaders({ secure: config.issuer.startsWith('https:') }));
  return (request, response) => {
    const startedMs = monotonicMs();
    if (draining()) response.shouldKeepAlive = false;
    const tell = (route: string): void =>
      observe(route, request.method, response.statusCode, monotonicMs() - startedMs);
    const address = request.url ?? '/';
    const queryAt = address.indexOf('?');
    const path = queryAt < 0 ? address : address.slice(0, queryAt);
    const fault = judge(request, address, path, host);
    const document = fault === undefined ? documents.find(path) : undefined;
    if (document && (request.method === 'GET' || request.method === 'HEAD')) {
      answerDocument(request, response, document);
      return tell(path === '/jwks' ? 'jwks' : 'discovery');
    }
    for (const [name, value] of headers) response.setHeader(name, value);
    // Load balancers ask by address, not by name; these two answers reflect nothing.
    if (path === '/health/live') {
      answerHealth(response, true);
      return tell('health');
    }
    if (path === '/health/ready')
      return void ready().then((isReady) => {
        answerHealth(response, isReady);
        tell('health');
      });
    if (fault) {
      answerFault(request, response, fault);
      return tell('refused');
    }
    settleForwarding(request.headers, scheme, config.http.trustedProxies > 0);
    application()(request, response);
  };
}

/**
 * The library builds its addresses, and judges whether cookies are safe, from these headers. Scheme and host are those of the
 * issuer, whatever a proxy or a stranger claims (C1, G3, R12); the address of the citizen is believed from configured proxies alone.
 */
function settleForwarding(headers: IncomingMessage['headers'], scheme: string, proxied: boolean): void {
  headers['x-forwarded-proto'] = scheme;
  delete headers['x-forwarded-host'];
  if (!proxied) delete headers['x-forwarded-for'];
}

function judge(request: IncomingMessage, address: string, path: string, host: string): FaultCode | undefined {
  // Only the issuer's own name is served: the library builds links and accepted audiences from the Host header (R12, G3).
  if (request.headers.host?.toLowerCase() !== host) return 'misdirected_host';
  if (request.headers['transfer-encoding'] !== undefined && request.method === 'GET') return 'malformed_request';
  if (!METHODS.has(request.method ?? '')) return 'method_not_allowed';
  if (address.length > URL_LENGTH_MAX || !address.startsWith('/') || address.startsWith('//'))
    return 'malformed_request';
  // The library folds case and a trailing slash; whoever limits or counts by path must not be walked around.
  if (path.length > 1 && (path.endsWith('/') || (path !== path.toLowerCase() && !CASE_BEARING.test(path))))
    return 'unknown_page';
  return undefined;
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'OPTIONS']);
/** Paths that end in an identifier or a content hash of mixed case. */
const CASE_BEARING =
  /^\/(?:(?:auth|interaction|assets)\/[^/]+|account\/(?:companies|mandates)\/[a-z]{3}_[\w-]+)(?:\/[a-z-]+){0,2}$/;

function answerHealth(response: ServerResponse, healthy: boolean): void {
  response.statusCode = healthy ? 200 : 503;
  response.setHeader('content-type', 'application/json; charset=utf-8');
  response.setHeader('cache-control', 'no-store');
  response.end(healthy ? '{"status":"ok"}' : '{"status":"unavailable"}');
}

function answerDocument(request: IncomingMessage, response: ServerResponse, document: ConstantDocument): void {
  if (request.headers['if-none-match'] === document.etag) {
    response.writeHead(304, document.notModifiedHeaders);
    response.end();
    return;
  }
  response.writeHead(200, document.headers);
  if (request.method === 'HEAD') response.end();
  else response.end(document.body);
}

/** A refusal so early that no language was negotiated: plain JSON, with the number the help desk knows. */
function answerFault(request: IncomingMessage, response: ServerResponse, code: FaultCode): void {
  const { number, status, oauth, en } = FAULTS[code];
  response.statusCode = status;
  response.setHeader('content-type', 'application/json; charset=utf-8');
  response.setHeader('cache-control', 'no-store');
  response.setHeader('x-request-id', randomToken(16));
  response.setHeader('connection', 'close');
  const body = JSON.stringify({ error: oauth, error_description: en, fault: number });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** The HTTP server with its limits against slow and greedy clients (R17, P8). */
export function createHttpServer(config: Config, front: RequestListener): Server {
  const { http } = config;
  const server = createServer(
    {
      headersTimeout: http.headersTimeoutMs,
      requestTimeout: http.requestTimeoutMs,
      connectionsCheckingInterval: 1000,
      maxHeaderSize: http.headerBytesMax,
      keepAliveTimeout: 65_000,
      insecureHTTPParser: false,
      // Without a body there is no stream to open and to end: a twelfth of what a constant document costs. Node 24.10 and later.
      optimizeEmptyRequests: true,
    },
    front,
  );
  server.maxConnections = http.connectionsMax;
  limitPerAddress(server, http.connectionsPerAddressMax);
  return server;
}

function limitPerAddress(server: Server, connectionsMax: number): void {
  const open = new Map<string, number>();
  server.on('connection', (socket) => {
    const address = socket.remoteAddress ?? '';
    const count = (open.get(address) ?? 0) + 1;
    if (count > connectionsMax) {
      socket.destroy();
      return;
    }
    open.set(address, count);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left > 0) open.set(address, left);
      else open.delete(address);
    });
  });
}
