import { isIP, type LookupFunction } from 'node:net';
import { Fault } from '../shared/fault.ts';
import { DeliveryFailure } from './delivery-failure.ts';
import { createGuardedAgent, createIdentifiedAgent, SpecialAddressError, type TlsIdentity } from './guarded-agent.ts';
import { isSpecialUse } from './special-addresses.ts';

export type OutboundReason =
  | 'malformed_address'
  | 'https_required'
  | 'special_address'
  | 'redirected'
  | 'timed_out'
  | 'body_too_large'
  | 'unreachable';

/** A request that was not made, or whose answer was not taken. Names the origin at most: no path, no query, nothing of the answer. */
export class OutboundFailure extends DeliveryFailure {
  readonly reason: OutboundReason;

  constructor(reason: OutboundReason, origin: string, cause?: unknown) {
    super(`${reason} ${origin}`, { cause });
    this.name = 'OutboundFailure';
    this.reason = reason;
  }
}

/**
 * Like fetch, narrowed: takes an address (a Request object is refused as malformed) and rejects with `OutboundFailure`. The answer is
 * complete when it arrives; its body is in memory.
 */
export type Outbound = (url: string | URL | Request, options?: RequestInit) => Promise<Response>;

const BODILESS_STATUS: ReadonlySet<number> = new Set([204, 205, 304]);
/** The body handed on is decoded: its length and encoding on the wire would mislead the reader. */
const WIRE_HEADERS: readonly string[] = ['content-encoding', 'content-length', 'transfer-encoding'];

/**
 * The one door to addresses that others have chosen: portals' keys, sector documents, logout addresses, web hooks (G2, R11).
 * - https only, to hosts of the public internet only, judged at the connect; an origin on `allowedOrigins` may be http and anywhere.
 * - Redirects are never followed. `timeoutMs` covers the whole exchange with its body, beside any signal of the caller.
 * - At most `bodyBytesMax` decoded bytes are read; the rest is not waited for.
 * - `identity` is shown to origins on `allowedOrigins` alone, and those then need a certificate of its authority.
 * A `dispatcher` in the options, as oidc-provider sends one, is replaced by our own guard, which refuses before a socket is opened.
 */
export function createOutbound(options: {
  readonly allowedOrigins: readonly string[];
  readonly timeoutMs?: number;
  readonly bodyBytesMax?: number;
  /** How names become addresses; the system's resolver unless given. */
  readonly lookup?: LookupFunction;
  readonly identity?: TlsIdentity;
}): Outbound {
  const { timeoutMs = 2500, bodyBytesMax = 65_536 } = options;
  const allowed = new Set(options.allowedOrigins.map(normalOrigin));
  const guard = createGuardedAgent({
    connectTimeoutMs: timeoutMs,
    ...(options.lookup === undefined ? {} : { lookup: options.lookup }),
  });
  const { identity } = options;
  const known = identity === undefined ? undefined : createIdentifiedAgent({ identity, connectTimeoutMs: timeoutMs });

  return async (url, requested = {}) => {
    const target = URL.parse(String(url));
    if (target === null || target.username !== '' || target.password !== '')
      throw new OutboundFailure('malformed_address', '');
    const trusted = allowed.has(target.origin);
    if (!trusted) refuseUntrusted(target);
    const { dispatcher: _, signal, ...rest } = requested;
    const deadline = AbortSignal.timeout(timeoutMs);
    const init: RequestInit = {
      ...rest,
      redirect: 'error',
      signal: signal === undefined || signal === null ? deadline : AbortSignal.any([signal, deadline]),
      ...(trusted ? known && { dispatcher: known } : { dispatcher: guard }),
    };
    try {
      return await completed(await fetch(target, init), bodyBytesMax, target.origin);
    } catch (error) {
      throw error instanceof OutboundFailure ? error : new OutboundFailure(reasonOf(error), target.origin, error);
    }
  };
}

function normalOrigin(text: string): string {
  const url = URL.parse(text);
  const web = url?.protocol === 'https:' || url?.protocol === 'http:';
  if (url === null || !web || url.href !== `${url.origin}/`) {
    throw new Fault('internal', 'allowedOrigins must list origins like https://portal.example:8443');
  }
  return url.origin;
}

/** Numeric hosts are judged here, names when they are connected to. */
function refuseUntrusted(target: URL): void {
  if (target.protocol !== 'https:') throw new OutboundFailure('https_required', target.origin);
  const host = target.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && isSpecialUse(host)) throw new OutboundFailure('special_address', target.origin);
}

async function completed(response: Response, bodyBytesMax: number, origin: string): Promise<Response> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop early cancels the stream, and with it the connection.
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > bodyBytesMax) throw new OutboundFailure('body_too_large', origin);
    chunks.push(chunk);
  }
  const headers = new Headers(response.headers);
  for (const name of WIRE_HEADERS) headers.delete(name);
  const body = BODILESS_STATUS.has(response.status) ? null : Buffer.concat(chunks);
  return new Response(body, { status: response.status, statusText: response.statusText, headers });
}

/** Node's fetch tells everything as `TypeError: fetch failed` and hides what happened in a chain of causes. */
function reasonOf(error: unknown): OutboundReason {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    if (cause instanceof SpecialAddressError) return 'special_address';
    if (cause.name === 'TimeoutError' || ('code' in cause && cause.code === 'UND_ERR_CONNECT_TIMEOUT'))
      return 'timed_out';
    if (cause.message === 'unexpected redirect') return 'redirected';
  }
  return 'unreachable';
}
