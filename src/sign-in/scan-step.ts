import type { Context } from 'koa';
import { z } from 'zod';
import { addressGroup } from '../defence/networks.ts';
import type { Scan } from '../factors/scan-codes.ts';
import { nowSeconds } from '../shared/clock.ts';
import { Fault } from '../shared/fault.ts';
import { qrCode } from '../web/qr-code.ts';
import { contentPolicy } from '../web/security-headers.ts';
import type { AdmissionOutcome } from './admission.ts';
import type { CeremonyRequest } from './interactions.ts';
import { formOf, frame, goOn, localesOf, requestOf, type SignInSources } from './step.ts';

const FORM = z.strictObject({ form_token: z.string().max(128) });
const FACTOR = 'scan';
/** RFC 8176: the person answered over another channel than the one that signs in. */
const AMR = ['mca'] as const;
const WINDOW_SECONDS = 600;
/** How often a screen without a script asks again. */
const REFRESH_SECONDS = 3;

const pageOf = ({ uid }: CeremonyRequest): string => `/interaction/${uid}/scan`;

const scanOf = (ctx: Context, { uid }: CeremonyRequest, { scanCodes, formTokens }: SignInSources) =>
  scanCodes.shown(uid, formTokens.browserOf(ctx));

/** Makes a code for this screen, in place of the one before. */
export async function postScan(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  await formOf(ctx, FORM, sources);
  const { counters, scanLimits, scanCodes, formTokens } = sources;
  const taken = await counters.take(`scan:address:${addressGroup(ctx.ip)}`, WINDOW_SECONDS);
  if (taken > scanLimits.startsPerAddress) {
    throw new Fault('too_many_requests', undefined, { retryAfterSeconds: WINDOW_SECONDS });
  }
  await scanCodes.begin({
    ceremony: request.uid,
    browser: formTokens.browserOf(ctx),
    clientId: request.clientId,
    address: ctx.ip,
    userAgent: ctx.get('user-agent'),
  });
  goOn(ctx, pageOf(request));
}

/** The code on the screen, and how it stands. The page asks again by itself, with a script or without. */
export async function showScan(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  ctx.state.page = 'scan';
  const scan = await scanOf(ctx, request, sources);
  if (scan === undefined) return goOn(ctx, `/interaction/${request.uid}`);
  const { portal, formToken } = await frame(ctx, request, sources);
  // The script of this page asks how the code stands; no other page of ours asks anything.
  ctx.set('content-security-policy', `${contentPolicy()}; connect-src 'self'`);
  sources.renderer.page(
    ctx,
    'scan',
    {
      action: pageOf(request),
      finishAction: `${pageOf(request)}/finish`,
      stateUrl: `${pageOf(request)}/state`,
      backUrl: `/interaction/${request.uid}`,
      formToken,
      portal,
      state: scan.state === 'used' ? 'expired' : scan.state,
      refreshSeconds: REFRESH_SECONDS,
      ...(scan.state === 'waiting'
        ? { code: qrCode(`${sources.origin}/account/scan?code=${scan.code}`), matchNumber: scan.matchNumber }
        : {}),
    },
    localesOf(request),
  );
}

/** How the code of this browser stands, in one word, for the script. */
export async function scanState(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  ctx.state.page = 'scan-state';
  const scan = await scanOf(ctx, request, sources);
  ctx.set('cache-control', 'no-store');
  ctx.body = { state: scan?.state ?? 'expired' };
}

export type ScanOutcome = AdmissionOutcome | { readonly state: 'expired' };

/** Signs in whoever has approved the code of this browser. Works once; the approval ends with the code. */
export async function finishScan(ctx: Context, request: CeremonyRequest, sources: SignInSources): Promise<ScanOutcome> {
  await formOf(ctx, FORM, sources);
  const { admission, persons, scanCodes } = sources;
  const scan = await scanOf(ctx, request, sources);
  const refuse = async (reason: string, from?: Scan): Promise<ScanOutcome> => {
    const { clientId } = request;
    await admission.refuse(ctx, { personId: from?.personId, clientId, factor: FACTOR, reason });
    return { state: 'expired' };
  };
  if (scan?.state !== 'approved' || scan.personId === undefined) return refuse(scan?.state ?? 'unknown', scan);
  const person = await persons.find(scan.personId);
  if (person === undefined) return refuse('unknown', scan);
  return admission.admit(ctx, {
    person,
    clientId: request.clientId,
    proof: { factor: FACTOR, strength: 'possession', amr: [...AMR], at: nowSeconds() },
    write: (tx) => scanCodes.spend(tx, scan.id),
  });
}
