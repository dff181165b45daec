import Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import type { Captcha } from '../defence/captcha.ts';
import type { Asked, Gate, Passage } from '../defence/gate.ts';
import { Fault } from '../shared/fault.ts';

/** What a form has to ask of a stranger under suspicion. */
export interface PassageView {
  /** For the script: JSON. */
  readonly puzzle: string;
  readonly captcha: string;
  readonly pictureUrl: string;
  readonly soundUrl: string;
  /** The page with picture and sound in place of the work; undefined where it shows them already. */
  readonly otherUrl?: string;
}

/** The fields of such a form. */
export const PASSAGE_FIELDS = {
  proof: z.string().max(1024).optional(),
  captcha: z.string().max(300).optional(),
  captcha_answer: z.string().max(32).optional(),
};

export const passageOf = (values: {
  readonly proof?: string | undefined;
  readonly captcha?: string | undefined;
  readonly captcha_answer?: string | undefined;
}): Passage => ({ proof: values.proof, captcha: values.captcha, captchaAnswer: values.captcha_answer });

const CAPTCHA = '/captcha';
/** How the page with picture and sound is asked for. */
const CHOICE = 'captcha';

/**
 * What the page at `page` asks of this visitor, as members of its model; nothing on a quiet day. Whoever answers a picture, or asks for one by
 * `?captcha=1`, is shown a picture.
 */
export async function passageFor(
  ctx: Pick<Context, 'ip' | 'query'>,
  gate: Pick<Gate, 'ask'>,
  page: string,
  passage: Passage = {},
): Promise<{ readonly passage?: PassageView }> {
  const asked = await gate.ask(ctx.ip);
  if (asked === undefined) return {};
  const wantsPicture =
    ctx.query[CHOICE] === '1' || (passage.captchaAnswer !== undefined && passage.proof === undefined);
  return { passage: viewOf(asked, wantsPicture ? undefined : page) };
}

function viewOf({ puzzle, captcha }: Asked, page: string | undefined): PassageView {
  const query = new URLSearchParams({ c: captcha });
  return {
    puzzle: JSON.stringify(puzzle),
    captcha,
    pictureUrl: `${CAPTCHA}/picture?${query}`,
    soundUrl: `${CAPTCHA}/sound?${query}`,
    ...(page === undefined ? {} : { otherUrl: `${page}${page.includes('?') ? '&' : '?'}${CHOICE}=1` }),
  };
}

/** Picture and sound of a captcha. Whoever asks needs its token, which stands in the page. */
export function captchaRoutes(captcha: Captcha): Router {
  const router = new Router();
  const serve = (type: string, make: (token: string) => Buffer | undefined) => (koaCtx: unknown) => {
    const ctx = koaCtx as Context;
    ctx.state.page = 'captcha';
    const made = make(String(ctx.query.c ?? ''));
    if (made === undefined) throw new Fault('unknown_page');
    ctx.set('cache-control', 'no-store');
    ctx.type = type;
    ctx.body = made;
  };
  router.get(`${CAPTCHA}/picture`, serve('image/png', captcha.picture));
  router.get(`${CAPTCHA}/sound`, serve('audio/wav', captcha.sound));
  return router;
}
