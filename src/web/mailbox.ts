import Router from '@koa/router';
import type { Context } from 'koa';
import type { EnrolPageModels } from './pages-enrol.ts';
import type { Renderer } from './render.ts';

export const MAILBOX_PAGE = '/mailbox';
const MESSAGES_MAX = 100;

/** The mailbox of demo and test: every message of everybody, the newest first. The composition offers it nowhere else. */
export function mailboxRoute(sources: {
  readonly renderer: Renderer;
  readonly list: (limit: number) => Promise<EnrolPageModels['mailbox']['messages']>;
}): Router {
  const router = new Router();
  router.get(MAILBOX_PAGE, async (koaCtx) => {
    const ctx = koaCtx as unknown as Context;
    ctx.state.page = 'mailbox';
    sources.renderer.page(ctx, 'mailbox', { messages: await sources.list(MESSAGES_MAX) });
  });
  return router;
}
