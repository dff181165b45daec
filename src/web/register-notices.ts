import Router from '@koa/router';
import type { Context } from 'koa';
import type { NoticeOutcome, RegisterNotice } from '../legal-persons/register-notice.ts';
import { readBody } from './forms.ts';

export const REGISTER_NOTICES = '/registers/legal-persons/notices';
const RETRY_AFTER_SECONDS = 60;

/** Who is not ours is no mistake of the register, and it does not learn whom we know. */
const STATUS: Readonly<Record<NoticeOutcome, number>> = {
  refused: 401,
  malformed: 400,
  unknown: 204,
  later: 503,
  done: 204,
};

/** Where the legal-person register tells that something has changed: signed like our own webhooks, answered without a word. */
export function registerNoticeRoute(take: (notice: RegisterNotice) => Promise<NoticeOutcome>): Router {
  const router = new Router();
  router.post(REGISTER_NOTICES, async (koaCtx) => {
    const ctx = koaCtx as unknown as Context;
    ctx.state.page = 'register-notices';
    const body = await readBody(ctx.req);
    const header = (name: string): string | undefined => ctx.get(name) || undefined;
    const outcome =
      typeof body === 'string'
        ? 'refused'
        : await take({
            body: body.toString('utf8'),
            id: header('webhook-id'),
            timestamp: header('webhook-timestamp'),
            signature: header('webhook-signature'),
          });
    if (outcome === 'later') ctx.set('Retry-After', String(RETRY_AFTER_SECONDS));
    ctx.body = null;
    // A body of null says 204; what holds is said last.
    ctx.status = STATUS[outcome];
  });
  return router;
}
