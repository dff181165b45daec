import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { maskName } from '../people/masking.ts';
import { shownName } from '../relying-parties/relying-party.ts';
import { nowSeconds } from '../shared/clock.ts';
import { Fault } from '../shared/fault.ts';
import type { Language } from '../web/language.ts';
import type { TrailDay, TrailLine } from '../web/pages.ts';
import { formOfAnyStatus, visitOf, visitorOrSignIn } from './account-form.ts';
import { describeAddress, describeDevice } from './devices.ts';
import type { AccountCentreSources } from './doors.ts';
import { byDay, type Principal, type RawLine } from './trail.ts';
import { findLine, readTrail } from './trail-reading.ts';

const TRAIL = '/account/trail';
const NOT_ME = '/account/not-me';
const PURPOSE = 'not-me';
const LINES_ON_ACCOUNT = 10;
const LINES_ON_PAGE = 50;
/** Pages back that "newer" leads through one by one; from further back it leads to the newest. */
const WALKED_MAX = 20;

const SEQ = z.string().regex(/^\d{1,15}$/);
const REPORT = z.strictObject({ form_token: z.string().max(128), entry: SEQ });
const WALKED = /^\d{1,15}(\.\d{1,15}){0,19}$/;

/** The pages of the trail: who used the account where, and "this was not me". */
export function addTrailRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(TRAIL, (ctx) => showTrail(ctx as unknown as Context, sources));
  router.get(NOT_ME, (ctx) => showNotMe(ctx as unknown as Context, sources));
  router.post(NOT_ME, (ctx) => postNotMe(ctx as unknown as Context, sources));
}

/** The newest lines of a person, as the account page shows them. */
export async function newestDays(
  personId: string,
  language: Language,
  sources: AccountCentreSources,
): Promise<readonly TrailDay[]> {
  const { lines } = await readTrail(sources.doors.ledgerReader, personId, undefined, LINES_ON_ACCOUNT);
  return daysOf(lines, language, sources);
}

async function showTrail(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-trail';
  const visitor = await visitorOrSignIn(ctx, sources);
  if (!visitor) return;
  const { doors, renderer } = sources;
  const before = seqOf(ctx.query.before);
  const walked = before === undefined ? [] : walkedOf(ctx.query.newer);
  const { lines, olderBefore } = await readTrail(doors.ledgerReader, visitor.personId, before, LINES_ON_PAGE);
  const { language } = renderer.preferences(ctx);
  renderer.page(ctx, 'account-trail', {
    days: await daysOf(lines, language, sources),
    ...(before === undefined ? {} : { newerUrl: trailUrl(walked.at(-1), walked.slice(0, -1)) }),
    ...(olderBefore === undefined
      ? {}
      : { olderUrl: trailUrl(olderBefore, before === undefined ? [] : [...walked, before]) }),
  });
}

async function showNotMe(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'not-me';
  const visitor = await visitorOrSignIn(ctx, sources);
  if (!visitor) return;
  const { renderer, formTokens } = sources;
  const raw = await reportable(visitor.personId, seqOf(ctx.query.entry), sources);
  const { language } = renderer.preferences(ctx);
  renderer.page(ctx, 'not-me', {
    action: NOT_ME,
    formToken: formTokens.issue(formTokens.browserOf(ctx), PURPOSE),
    line: await lineShown(raw, language, sources),
    cancelUrl: TRAIL,
  });
}

async function postNotMe(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'not-me';
  const { values, personId } = await formOfAnyStatus(ctx, REPORT, PURPOSE, sources);
  const { seq, clientId } = await reportable(personId, Number(values.entry), sources);
  const caseNumber = await sources.doors.reportNotMe({
    personId,
    seq,
    clientId,
    ...visitOf(ctx),
  });
  const { renderer } = sources;
  const preferences = renderer.preferences(ctx);
  ctx.status = 200;
  ctx.set('content-type', 'text/html; charset=utf-8');
  ctx.set('content-language', preferences.language);
  ctx.set('cache-control', 'no-store');
  // Whoever uses this browser next finds nothing of ours in its cache (E8).
  ctx.set('clear-site-data', '"cache"');
  // Without links to other displays: nobody is signed in any more, so they would lose the number.
  ctx.body = renderer.html('not-me-done', { caseNumber, homeUrl: '/' }, preferences);
}

/** The line a person wants to report. Throws `Fault('unknown_page')` for whatever is not theirs to report (V39). */
async function reportable(
  personId: string,
  seq: number | undefined,
  { doors }: AccountCentreSources,
): Promise<RawLine> {
  const line = seq === undefined ? undefined : await findLine(doors.ledgerReader, personId, seq);
  if (!line?.reportable) throw new Fault('unknown_page');
  return line;
}

async function daysOf(
  lines: readonly RawLine[],
  language: Language,
  sources: AccountCentreSources,
): Promise<readonly TrailDay[]> {
  return byDay(await Promise.all(lines.map((line) => lineShown(line, language, sources))), nowSeconds());
}

/** The line in words: portals by their names, browsers and addresses as people can compare them. */
async function lineShown(
  { clientId, principal, userAgents, addresses, entryCount: _entries, ...line }: RawLine,
  language: Language,
  sources: AccountCentreSources,
): Promise<TrailLine> {
  const party = clientId === undefined ? undefined : await sources.relyingParties.inspect(clientId);
  const devices = new Set(userAgents.map((userAgent) => describeDevice(userAgent, language)));
  const places = new Set(addresses.map(describeAddress));
  return {
    ...line,
    portal: party ? shownName(party.record, language) : (clientId ?? ''),
    principal: principal === undefined ? '' : await principalName(principal, sources),
    device: onlyOne(devices),
    address: onlyOne(places),
    addressCount: places.size,
  };
}

/** A company by its name, a person by what is left of theirs: the trail is no place to learn names. */
async function principalName(
  { kind, id }: Principal,
  { legalPersons, persons }: AccountCentreSources,
): Promise<string> {
  if (kind === 'legal') return (await legalPersons.profile(id))?.name ?? '';
  const name = (await persons.profile(id))?.name;
  return name === undefined ? '' : maskName(name);
}

const onlyOne = (texts: ReadonlySet<string>): string => (texts.size === 1 ? [...texts][0]! : '');

/** A number of the query; one that is none is as if it were not there. */
const seqOf = (value: unknown): number | undefined => {
  const parsed = SEQ.safeParse(value);
  return parsed.success ? Number(parsed.data) : undefined;
};

const walkedOf = (value: unknown): readonly number[] =>
  typeof value === 'string' && WALKED.test(value) ? value.split('.').map(Number) : [];

/** A page of the trail, and where the pages before it on the way here began. */
function trailUrl(before: number | undefined, walked: readonly number[]): string {
  if (before === undefined) return TRAIL;
  const newer = walked.slice(-WALKED_MAX).join('.');
  return `${TRAIL}?before=${before}${newer === '' ? '' : `&newer=${newer}`}`;
}
