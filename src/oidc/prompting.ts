import type { Context } from 'koa';
import type { Grant, Interaction, interactionPolicy, KoaContextWithOIDC, Provider, Session } from 'oidc-provider';
import type { Config } from '../config/schema.ts';
import type { CookieKeys } from '../crypto/cookie-keys.ts';
import { nowMs, nowSeconds } from '../shared/clock.ts';
import { randomToken } from '../shared/random.ts';
import { shortCookie, signedCookie } from './session-cookies.ts';

/** As many as the library gives what it names itself. */
const ID_CHARS = 43;

/** Where the page of an interaction stands. */
export const pageOf = (uid: string): string => `/interaction/${uid}`;

/** The first prompt of a request that misses something, and why. */
export type Missing = Interaction['prompt'];

/**
 * Asks the checks of the prompts in their order: all of the first prompt in which one finds something missing, for its page tells every reason.
 * Undefined when nothing is missing.
 */
export async function firstMissing(
  policy: readonly interactionPolicy.Prompt[],
  request: KoaContextWithOIDC,
): Promise<Missing | undefined> {
  for (const { name, checks, details } of policy) {
    const found: { readonly reason: string; readonly details: object | undefined }[] = [];
    for (const { reason, check, details: detailsOf } of checks) {
      const isMissing = check(request);
      if ((typeof isMissing === 'boolean' ? isMissing : await isMissing) === false) continue;
      found.push({ reason, details: await detailsOf(request) });
    }
    if (found.length === 0) continue;
    const own = await details(request);
    return {
      name,
      reasons: found.map(({ reason }) => reason),
      details: Object.assign({}, own, ...found.map((one) => one.details)),
    };
  }
  return undefined;
}

/** A request that is to wait for an answer of the person, as the library would show it to the checks of its prompts. */
export interface Waiting {
  readonly request: KoaContextWithOIDC;
  readonly session: Session;
  readonly grant: Grant | undefined;
  readonly parameters: Readonly<Record<string, string>>;
  readonly missing: Missing;
  /** The interaction that has been answered before, where there is one. */
  readonly before: Interaction | undefined;
}

export interface PromptingSources {
  readonly provider: Provider;
  readonly cookieKeys: Pick<CookieKeys, 'sign'>;
  readonly config: Pick<Config, 'issuer' | 'ttl'>;
}

/** What the browser is to be told of an interaction that has begun. */
export interface Begun {
  readonly uid: string;
  readonly cookies: readonly string[];
}

/** Keeps a request until it is answered, as the library does, and gives the cookies that bind it to this browser. */
export async function begin({ provider, cookieKeys, config }: PromptingSources, waiting: Waiting): Promise<Begun> {
  const { request, session, grant, parameters, missing, before } = waiting;
  const uid = randomToken(ID_CHARS);
  const resumed = provider.pathFor('resume', { uid });
  const seconds = config.ttl.interactionSeconds;
  const Waiter = provider.Interaction as unknown as new (uid: string, payload: object) => Interaction;
  const iat = nowSeconds();
  const members = {
    returnTo: `${provider.issuer}${resumed}`,
    prompt: missing,
    lastSubmission: before?.result,
    params: { ...parameters },
    trusted: [],
    session,
    grantId: grant?.jti,
    cid: before?.cid ?? randomToken(ID_CHARS),
  };
  const interaction = new Waiter(uid, members);
  interaction.exp = iat + seconds;
  // In the very form in which the library keeps one, without the three walks through its members that it takes (kept-tokens.ts).
  const { exp, session: shown } = interaction;
  const kept = { iat, exp, ...members, session: shown, jti: uid, kind: 'Interaction' };
  await provider.Interaction.adapter.upsert(uid, kept, seconds);
  request.oidc.entity('Interaction', interaction);
  const bounds = { secure: config.issuer.startsWith('https:'), endsAtMs: nowMs() + seconds * 1000 };
  return {
    uid,
    cookies: [
      ...signedCookie(cookieKeys, provider.cookieName('interaction'), uid, shortCookie(pageOf(uid), bounds)),
      ...signedCookie(cookieKeys, provider.cookieName('resume'), uid, shortCookie(resumed, bounds)),
    ],
  };
}

/** Sends the browser to the page of an interaction; `tellWhereTo` completes the answer where that page is not shown in its place. */
export function sendToPage(ctx: Context, uid: string): void {
  ctx.status = 303;
  ctx.set('location', pageOf(uid));
}
