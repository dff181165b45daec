import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { maskDocument, maskName } from '../people/masking.ts';
import { Fault } from '../shared/fault.ts';
import { accountToken, type Visitor, visitOf, visitorOrSignIn } from './account-form.ts';
import type { AccountCentreSources } from './doors.ts';
import { provenForm } from './fresh-proof.ts';

const PAGE = '/account/documents';
const SHOW = z.strictObject({ form_token: z.string().max(128) });

/** Who the account belongs to, how well that was proven, and by which documents. */
export function addDocumentRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(PAGE, (ctx) => showDocuments(ctx as unknown as Context, sources));
  router.post(`${PAGE}/show`, (ctx) => postShow(ctx as unknown as Context, sources));
}

async function showDocuments(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-documents';
  const visitor = await visitorOrSignIn(ctx, sources);
  if (visitor) await answer(ctx, visitor, sources, false);
}

/** Shows more of the numbers, on the answer to a form alone: nothing of it stays at an address or in a cache. */
async function postShow(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-documents';
  const form = await provenForm(ctx, SHOW, sources);
  if (!form) return;
  const profile = await sources.persons.profile(form.personId);
  if (profile?.status !== 'active') throw new Fault('ceremony_expired', 'the signed-in person may not act any more');
  await sources.ledger.record({
    ...visitOf(ctx),
    type: 'personal-data.shown',
    personId: form.personId,
    sessionUid: form.person.sessionUid,
    details: { fields: ['name', 'id_number'] },
  });
  await answer(ctx, { ...form.person, profile }, sources, true);
}

async function answer(
  ctx: Context,
  { personId, profile }: Visitor,
  sources: AccountCentreSources,
  readable: boolean,
): Promise<void> {
  const { name } = profile;
  const held = await sources.persons.documents(personId);
  sources.renderer.page(ctx, 'account-documents', {
    formToken: accountToken(ctx, sources),
    ial: profile.ial,
    ...(name === undefined ? {} : { name: readable ? name : maskName(name) }),
    readable,
    documents: held.map(({ document, proof, primary, validFrom, validTo }) => ({
      type: document.type,
      number: maskDocument(document, readable ? 'ordinary' : 'strong'),
      level: proof.level,
      primary,
      ...(proof.source === undefined ? {} : { source: proof.source }),
      ...(proof.at === undefined ? {} : { provenAt: proof.at }),
      ...(validFrom === undefined ? {} : { validFrom }),
      ...(validTo === undefined ? {} : { validTo }),
    })),
  });
}
