import type { IncomingMessage, RequestListener } from 'node:http';

const FORM_BYTES_MAX = 16_384;

/** One request, as far as a portal looks at it. `url` is built from the portal's own address, never from the Host header. */
export interface Visit {
  readonly url: URL;
  readonly cookie: string | undefined;
  readonly origin: string | undefined;
  readonly acceptLanguage: string | undefined;
  readonly form: URLSearchParams;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string;
}

type Handler = (visit: Visit) => Answer | Promise<Answer>;

export const htmlAnswer = (status: number, body: string): Answer => ({
  status,
  headers: { 'content-type': 'text/html; charset=utf-8' },
  body,
});

export const jsonAnswer = (status: number, body: unknown): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

/** 303, so that a posted form is never posted again to the next address (RFC 9700 section 4.12). */
export const redirectAnswer = (location: string, cookies: readonly string[] = []): Answer => ({
  status: 303,
  headers: { location, 'set-cookie': cookies },
  body: '',
});

/** The form a request carries, empty when it carries none; undefined when it is too large or of another type. */
async function formOf(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  if (request.method !== 'POST') return new URLSearchParams();
  const type = request.headers['content-type'] ?? 'application/x-www-form-urlencoded';
  if (!type.startsWith('application/x-www-form-urlencoded')) return undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > FORM_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}

function securityHeaders(formTargets: readonly string[]): Record<string, string> {
  // Chromium applies form-action to redirects too, and signing out posts here and is sent on to the identity server.
  const policy = [
    "default-src 'none'",
    "style-src 'self'",
    "img-src 'self'",
    `form-action 'self' ${formTargets.join(' ')}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ];
  return {
    'content-security-policy': policy.join('; '),
    'cache-control': 'no-store',
    'cross-origin-opener-policy': 'same-origin',
    // `no-referrer` would make browsers send `Origin: null` with our own forms.
    'referrer-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
    vary: 'Accept-Language, Cookie',
  };
}

export interface PortalRoutes {
  readonly url: string;
  readonly formTargets: readonly string[];
  readonly routes: Readonly<Record<string, Handler>>;
  readonly unknown: Handler;
  readonly failed: (visit: Visit, error: unknown) => Answer;
}

/** Turns a table of `METHOD /path` into a node:http listener. Whatever a handler throws becomes the page of `failed`. */
export function portalListener({ url, formTargets, routes, unknown, failed }: PortalRoutes): RequestListener {
  const common = securityHeaders(formTargets);

  async function answerTo(request: IncomingMessage): Promise<Answer> {
    const { cookie, origin, 'accept-language': acceptLanguage } = request.headers;
    const path = request.url?.startsWith('/') === true ? request.url : '/';
    const form = await formOf(request);
    const visit: Visit = {
      url: new URL(url + path),
      cookie,
      origin,
      acceptLanguage,
      form: form ?? new URLSearchParams(),
    };
    if (form === undefined) return jsonAnswer(413, { error: 'invalid_request' });
    try {
      const route = `${request.method} ${visit.url.pathname}`;
      const handler = Object.hasOwn(routes, route) ? routes[route] : undefined;
      return await (handler ?? unknown)(visit);
    } catch (error) {
      const code = (error as { readonly code?: string }).code;
      console.error(`${visit.url.pathname}: ${(error as Error).name} ${code ?? ''}`.trim());
      return failed(visit, error);
    }
  }

  return (request, response) => {
    answerTo(request).then(
      ({ status, headers, body }) => {
        response.writeHead(status, { ...common, ...headers } as Record<string, string | string[]>);
        response.end(body);
      },
      // The browser went away or the request was no HTTP; there is nobody left to answer.
      () => response.destroy(),
    );
  };
}
