import type { Context } from 'koa';

/**
 * Answers the ordinary request of one endpoint in fewer steps than the library, and with the same answer. Resolves with false,
 * having changed nothing and taken nothing, for every other request and for every refusal: the library decides those, and what
 * they mean to the ledger is told as ever. An answered look at a token is no event, there or in the library.
 */
export type ShortWay = (ctx: Context) => Promise<boolean>;

/** The short ways by path. */
export type ShortWays = ReadonlyMap<string, ShortWay>;

/** Longer than any token of ours: three characters of type, eight of time, 43 of secret (token-ids.ts). */
export const TOKEN_LENGTH_MAX = 128;

/** What every short way leaves to the library: browsers of other origins, proofs of possession and attested clients. */
export const wantsMore = ({ headers }: Context['req']): boolean =>
  headers.origin !== undefined ||
  headers.dpop !== undefined ||
  headers['oauth-client-attestation'] !== undefined ||
  headers['oauth-client-attestation-pop'] !== undefined;

/** Sends a JSON answer with the headers the library sets: never cached, readable for the origins it would name. */
export function answerShortly(
  ctx: Context,
  route: string,
  exposedHeaders: string,
  body: Readonly<Record<string, unknown>>,
): true {
  ctx.state.page = route;
  ctx.set('cache-control', 'no-store');
  ctx.set('vary', 'Origin');
  ctx.set('access-control-allow-origin', '*');
  ctx.set('access-control-expose-headers', exposedHeaders);
  ctx.body = body;
  return true;
}
