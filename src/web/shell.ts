import type { Context, Middleware } from 'koa';
import type { Logger } from 'pino';
import type { Config } from '../config/schema.ts';
import { monotonicMs } from '../shared/clock.ts';
import { Fault } from '../shared/fault.ts';
import { FAULTS, type FaultCode, faultTitle } from '../shared/faults.ts';
import { randomToken } from '../shared/random.ts';
import type { Observe } from './front.ts';
import type { Renderer } from './render.ts';

/** Routes on which a request without the right cookies makes the library throw outside its own error handler (R14). */
const FRAGILE_ROUTES = new Set(['resume', 'device_resume', 'code_verification']);

/** Shows a fault to whoever asked: a page with number and request id to a person, JSON to a program. */
export type ShowFault = (ctx: Context, code: FaultCode, options?: { readonly description?: string }) => void;

export function createShowFault(renderer: Renderer, config: Config): ShowFault {
  return (ctx, code, { description } = {}) => {
    const entry = FAULTS[code];
    ctx.remove('location');
    ctx.set('cache-control', 'no-store');
    if (ctx.accepts('json', 'html') === 'html') {
      const { language } = renderer.preferences(ctx);
      renderer.page(
        ctx,
        'fault',
        {
          number: entry.number,
          requestId: String(ctx.state.requestId),
          title: faultTitle(entry)[language === 'en' ? 'en' : 'zh'],
          text: language === 'en' ? entry.en : entry.zh,
          retry: entry.status === 503 || entry.status === 429,
          homeUrl: '/',
          hotline: config.support.hotline,
        },
        { status: entry.status },
      );
      return;
    }
    ctx.status = entry.status;
    ctx.body = { error: entry.oauth, error_description: description ?? entry.en, fault: entry.number };
  };
}

/**
 * The outermost layer of the Koa application: names the request, answers whatever nothing else has answered, and writes one
 * line about it. No stack, SQL or personal datum passes it (H3).
 */
export function createShell(log: Logger, showFault: ShowFault, observe: Observe = () => undefined): Middleware {
  return async (ctx, next) => {
    const startedMs = monotonicMs();
    ctx.state.requestId = randomToken(16);
    ctx.set('x-request-id', ctx.state.requestId);
    try {
      await next();
      if (ctx.status === 404 && ctx.body == null)
        showFault(ctx, ctx.method === 'POST' ? 'method_not_allowed' : 'unknown_page');
    } catch (error) {
      answerError(ctx, error, log, showFault);
    }
    // The path may end in a one-time identifier, so log and metrics have the name of the route: of our page, where a page went on
    // to the library.
    const route: unknown = ctx.state.page ?? ctx._matchedRouteName ?? 'none';
    const durationMs = monotonicMs() - startedMs;
    observe(route, ctx.method, ctx.status, durationMs);
    log.info(
      {
        id: ctx.state.requestId,
        method: ctx.method,
        route,
        status: ctx.status,
        ms: Math.round(durationMs * 10) / 10,
        address: ctx.ip,
      },
      'request',
    );
  };
}

function answerError(ctx: Context, error: unknown, log: Logger, showFault: ShowFault): void {
  ctx.remove('set-cookie');
  // A redirect that was prepared before the fault holds a code that was never written.
  ctx.remove('location');
  ctx.remove('content-location');
  if (error instanceof Fault) {
    if (error.status >= 500) log.error({ id: ctx.state.requestId, fault: error.code, err: error }, error.message);
    else log.warn({ id: ctx.state.requestId, fault: error.code }, error.message);
    if (error.status === 503 || error.status === 429) ctx.set('retry-after', String(error.retryAfterSeconds ?? 2));
    showFault(ctx, error.code);
    return;
  }
  if (isFragile(ctx)) {
    log.warn({ id: ctx.state.requestId, err: error }, 'a request without its cookies was refused');
    showFault(ctx, 'ceremony_expired');
    return;
  }
  if (error instanceof URIError || isClientError(error)) {
    showFault(ctx, 'malformed_request');
    return;
  }
  log.error({ id: ctx.state.requestId, err: error }, 'unexpected error');
  showFault(ctx, 'internal');
}

const isFragile = (ctx: Context): boolean => FRAGILE_ROUTES.has(String(ctx._matchedRouteName));

/** An error Koa or its helpers raised about the request itself: status 4xx and meant to be told. */
const isClientError = (error: unknown): boolean =>
  error instanceof Error &&
  'status' in error &&
  typeof error.status === 'number' &&
  error.status >= 400 &&
  error.status < 500;
