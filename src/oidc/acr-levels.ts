import { errors, type KoaContextWithOIDC } from 'oidc-provider';

/** The assurance a sign-in with one factor reaches; higher levels come with the second factors. */
export const ACR_ONE_FACTOR = 'urn:tongban:acr:1';
export const ACR_VALUES = [ACR_ONE_FACTOR];

const LEVEL = /^urn:tongban:acr:(\d)$/;

/**
 * The level a portal may be told where a mandate has a ceiling: never more than the grantor allowed, however well the person has
 * signed in. Levels we do not know are no ceiling. Pure.
 */
export function cappedAcr(acr: string, ceiling: string | undefined): string {
  if (ceiling === undefined) return acr;
  const [reached, allowed] = [LEVEL.exec(acr)?.[1], LEVEL.exec(ceiling)?.[1]];
  return reached !== undefined && allowed !== undefined && Number(allowed) < Number(reached) ? ceiling : acr;
}

interface AcrRequest {
  readonly essential?: boolean;
  readonly value?: unknown;
  readonly values?: unknown;
}

/** The levels of which a portal must have one (OpenID Connect Core 5.5.1.1); undefined where it would like one at most. */
export function essentialAcrs({ oidc }: KoaContextWithOIDC): readonly unknown[] | undefined {
  const wanted = (oidc.claims.id_token?.acr ?? {}) as AcrRequest;
  if (wanted.essential !== true) return undefined;
  if (wanted.values !== undefined && !Array.isArray(wanted.values)) {
    throw new errors.InvalidRequest('invalid claims.id_token.acr.values type');
  }
  return wanted.values ?? (wanted.value === undefined ? undefined : [wanted.value]);
}
