import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import type { HeldDocument } from '../people/held-documents.ts';
import { type MaskingLevel, maskDocument, maskName } from '../people/masking.ts';
import { Fault } from '../shared/fault.ts';
import type { DocumentAct, DocumentProblem } from '../web/pages-account.ts';
import { accountToken, goTo, type Visitor, visitOf, visitorOrSignIn } from './account-form.ts';
import { addIdNumber, isMatchable, mayLeave, proveDocument } from './document-matching.ts';
import type { AccountCentreSources } from './doors.ts';
import { provenForm } from './fresh-proof.ts';
import type { SignedIn } from './proving.ts';

const PAGE = '/account/documents';
const token = z.string().max(128);
const SHOW = z.strictObject({ form_token: token });
const ADD = z.strictObject({ form_token: token, idNumber: z.string().max(256) });
const ONE = z.strictObject({ form_token: token, id: z.string().min(1).max(64) });
const DONE = z.enum(['added', 'proven', 'removed']);

/** What an answer shows beside the documents. */
interface Shown {
  readonly readable?: boolean;
  readonly idNumber?: string;
  readonly problem?: DocumentProblem;
  readonly done?: DocumentAct;
}

/** Who the account belongs to, how well that was proven, and by which documents. */
export function addDocumentRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(PAGE, (ctx) => showDocuments(ctx as unknown as Context, sources));
  router.post(`${PAGE}/show`, (ctx) => postShow(ctx as unknown as Context, sources));
  router.post(`${PAGE}/add`, (ctx) => postAdd(ctx as unknown as Context, sources));
  router.post(`${PAGE}/prove`, (ctx) => postProve(ctx as unknown as Context, sources));
  router.post(`${PAGE}/remove`, (ctx) => postRemove(ctx as unknown as Context, sources));
}

async function showDocuments(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-documents';
  const visitor = await visitorOrSignIn(ctx, sources);
  if (!visitor) return;
  const done = DONE.safeParse(ctx.query.done);
  await answer(ctx, visitor, sources, done.success ? { done: done.data } : {});
}

/** Shows more of the numbers, on the answer to a form alone: nothing of it stays at an address or in a cache. */
async function postShow(ctx: Context, sources: AccountCentreSources): Promise<void> {
  const form = await provenForm(ctx, SHOW, sources);
  if (!form) return;
  const { personId, person } = form;
  await sources.ledger.record({
    ...visitOf(ctx),
    type: 'personal-data.shown',
    personId,
    sessionUid: person.sessionUid,
    details: { fields: ['name', 'id_number'] },
  });
  await answer(ctx, await visitorOf(person, sources), sources, { readable: true });
}

async function postAdd(ctx: Context, sources: AccountCentreSources): Promise<void> {
  const form = await provenForm(ctx, ADD, sources);
  if (!form) return;
  const visitor = await visitorOf(form.person, sources);
  const { idNumber } = form.values;
  const outcome = await addIdNumber(visitor, idNumber, visitOf(ctx), sources);
  if (outcome === 'added') return goTo(ctx, `${PAGE}?done=added`);
  await answer(ctx, visitor, sources, { idNumber, problem: { at: 'idNumber', code: outcome } });
}

async function postProve(ctx: Context, sources: AccountCentreSources): Promise<void> {
  const form = await provenForm(ctx, ONE, sources);
  if (!form) return;
  const visitor = await visitorOf(form.person, sources);
  const { id } = form.values;
  const outcome = await proveDocument(visitor, id, visitOf(ctx), sources);
  if (outcome === 'unknown') throw new Fault('unknown_page');
  if (outcome === 'proven') return goTo(ctx, `${PAGE}?done=proven`);
  await answer(ctx, visitor, sources, { problem: { at: id, code: outcome } });
}

async function postRemove(ctx: Context, sources: AccountCentreSources): Promise<void> {
  const form = await provenForm(ctx, ONE, sources);
  if (!form) return;
  const { personId, values } = form;
  const held = await sources.persons.documents(personId);
  if (!held.some(({ id }) => id === values.id)) throw new Fault('unknown_page');
  const removed =
    mayLeave(held, values.id) &&
    (await sources.persons.removeDocument(personId, values.id, { ...visitOf(ctx), origin: 'account' })) === 'removed';
  if (removed) return goTo(ctx, `${PAGE}?done=removed`);
  await answer(ctx, await visitorOf(form.person, sources), sources, { problem: { at: values.id, code: 'needed' } });
}

async function visitorOf(person: SignedIn, { persons }: AccountCentreSources): Promise<Visitor> {
  const profile = await persons.profile(person.personId);
  if (profile?.status !== 'active') throw new Fault('ceremony_expired', 'the signed-in person may not act any more');
  return { ...person, profile };
}

const STATUS: Readonly<Record<string, number>> = { unavailable: 503, too_many: 429 };

async function answer(ctx: Context, visitor: Visitor, sources: AccountCentreSources, shown: Shown): Promise<void> {
  ctx.state.page = 'account-documents';
  const { personId, profile } = visitor;
  const { readable = false, idNumber = '', problem, done } = shown;
  const held = await sources.persons.documents(personId);
  const { name } = profile;
  const matches = sources.population !== undefined && name !== undefined;
  sources.renderer.page(
    ctx,
    'account-documents',
    {
      formToken: accountToken(ctx, sources),
      ial: profile.ial,
      ...(name === undefined ? {} : { name: readable ? name : maskName(name) }),
      readable,
      documents: held.map((document) =>
        documentView(document, held, { readable, matches, masking: sources.persons.masking }),
      ),
      ...(matches && !held.some(isMatchable) ? { add: { idNumber: idNumber.slice(0, 64) } } : {}),
      ...(problem ? { problem } : {}),
      ...(done ? { done } : {}),
    },
    { status: problem ? (STATUS[problem.code] ?? 400) : 200 },
  );
}

const documentView = (
  held: HeldDocument,
  all: readonly HeldDocument[],
  {
    readable,
    matches,
    masking,
  }: { readonly readable: boolean; readonly matches: boolean; readonly masking: MaskingLevel },
) => {
  const { id, document, proof, primary, validFrom, validTo } = held;
  return {
    id,
    type: document.type,
    number: maskDocument(document, readable ? 'ordinary' : masking),
    level: proof.level,
    primary,
    provable: matches && isMatchable(held),
    removable: mayLeave(all, id),
    ...(proof.source === undefined ? {} : { source: proof.source }),
    ...(proof.at === undefined ? {} : { provenAt: proof.at }),
    ...(validFrom === undefined ? {} : { validFrom }),
    ...(validTo === undefined ? {} : { validTo }),
  };
};
