import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import type { Scan } from '../factors/scan-codes.ts';
import { shownName } from '../relying-parties/relying-party.ts';
import { nowSeconds } from '../shared/clock.ts';
import { Fault } from '../shared/fault.ts';
import type { ScanEnd } from '../web/pages-possession.ts';
import { accountForm, goTo, visitOf, visitorOrSignIn } from './account-form.ts';
import { describeAddress, describeDevice } from './devices.ts';
import type { AccountCentreSources } from './doors.ts';
import { proofAddress } from './fresh-proof.ts';
import type { SignedIn } from './proving.ts';

const PAGE = '/account/scan';
const CODE = z.string().regex(/^[\w-]{32}$/);
const FORM = z.strictObject({
  form_token: z.string().max(128),
  code: CODE,
  decision: z.enum(['approve', 'refuse']),
  number: z.string().max(8).optional(),
});
const STATUS: Readonly<Record<ScanEnd, number>> = { approved: 200, refused: 200, mismatch: 403, over: 410 };

/** Where a phone answers a code that it has read from a screen. */
export function addScanRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(PAGE, (ctx) => showScan(ctx as unknown as Context, sources));
  router.post(PAGE, (ctx) => postScan(ctx as unknown as Context, sources));
}

/** The form belongs to one code and one session: what a person was shown is what they answer. */
const purposeOf = (code: string, { sessionUid }: SignedIn): string => `scan ${code} ${sessionUid}`;

/** Whether the proof on this phone is young enough to vouch for another screen. */
const isYoung = ({ at }: SignedIn, { scanProofSeconds }: AccountCentreSources): boolean =>
  nowSeconds() - at <= scanProofSeconds;

async function showScan(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-scan';
  const code = CODE.safeParse(ctx.query.code);
  if (!code.success) throw new Fault('unknown_page');
  const visitor = await visitorOrSignIn(ctx, sources);
  if (!visitor) return;
  // A younger proof is asked for first, and leads back to this very page.
  if (!isYoung(visitor, sources)) return goTo(ctx, proofAddress(`${PAGE}?code=${code.data}`));
  const scan = await sources.scanCodes.read(code.data);
  if (scan?.state !== 'waiting') return showEnd(ctx, 'over', sources);
  await render(ctx, scan, visitor, sources);
}

async function render(ctx: Context, scan: Scan, person: SignedIn, sources: AccountCentreSources, wrong = false) {
  const { renderer, formTokens, relyingParties, regionOf } = sources;
  const { language } = renderer.preferences(ctx);
  const party = await relyingParties.inspect(scan.clientId);
  const region = regionOf(scan.address);
  renderer.page(
    ctx,
    'account-scan',
    {
      action: PAGE,
      formToken: formTokens.issue(formTokens.browserOf(ctx), purposeOf(scan.code, person)),
      code: scan.code,
      portal: party === undefined ? scan.clientId : shownName(party.record, language),
      device: describeDevice(scan.userAgent, language),
      address: describeAddress(scan.address),
      ...(region === undefined ? {} : { region }),
      // Somebody else's screen is the danger: another network is no proof of it, and worth a second look.
      elsewhere: describeAddress(scan.address) !== describeAddress(ctx.ip),
      wrong,
    },
    { status: wrong ? 400 : 200 },
  );
}

function showEnd(ctx: Context, end: ScanEnd, { renderer }: AccountCentreSources): void {
  renderer.page(ctx, 'account-scan-done', { end, accountUrl: '/account' }, { status: STATUS[end] });
}

async function postScan(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-scan';
  const signedIn = await sources.doors.currentPerson(ctx);
  if (signedIn === undefined) throw new Fault('ceremony_expired');
  const { values, personId, person } = await accountForm(ctx, FORM, (form) => purposeOf(form.code, signedIn), sources);
  const { code, decision } = values;
  const profile = await sources.persons.profile(personId);
  if (profile?.status !== 'active') throw new Fault('ceremony_expired', 'the signed-in person may not act any more');
  if (!isYoung(person, sources)) return goTo(ctx, proofAddress(`${PAGE}?code=${code}`));
  const scan = await sources.scanCodes.read(code);
  const number = (values.number ?? '').normalize('NFKC').trim();
  // Nothing typed is a slip; a wrong number is an answer to another screen than the one in front of the person.
  if (scan?.state === 'waiting' && decision === 'approve' && number === '') {
    return render(ctx, scan, person, sources, true);
  }
  const answer = decision === 'refuse' ? 'refuse' : { number };
  const end = await sources.database.write(async (tx): Promise<ScanEnd> => {
    const outcome = await sources.scanCodes.answer(tx, code, personId, answer);
    const event = { ...visitOf(ctx), personId, clientId: scan?.clientId, sessionUid: person.sessionUid };
    const named: Readonly<Record<string, string>> = scan === undefined ? {} : { scan: scan.id };
    if (outcome === 'approved') await sources.ledger.append(tx, { ...event, type: 'scan.approved', details: named });
    else {
      const reason = outcome === 'mismatch' && decision === 'refuse' ? 'refused_by_person' : outcome;
      const details = { ...named, reason };
      await sources.ledger.append(tx, { ...event, type: 'scan.refused', outcome: 'failure', details });
    }
    return outcome === 'mismatch' && decision === 'refuse' ? 'refused' : outcome;
  });
  showEnd(ctx, end, sources);
}
