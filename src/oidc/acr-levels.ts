import { type Client, errors } from 'oidc-provider';
import { ACR_VALUES } from '../relying-parties/schema.ts';
import { Fault } from '../shared/fault.ts';
import type { Demand } from '../sign-in/ceremony.ts';
import { acrOfLevel, type Level, levelOfAcr } from '../sign-in/levels.ts';

/** How one kind of portal names levels, and is told them. */
export interface Vocabulary {
  /** Undefined for a word that is on no scale. */
  levelOf(word: unknown): Level | undefined;
  wordOf(level: Level): string;
  /** Each level is a level of the identity as well, as partners mean theirs. */
  readonly countsIdentity: boolean;
}

/** By the name of the scale in a portal's registration; undefined for a scale this house does not have. */
export type Vocabularies = (scale: string) => Vocabulary | undefined;

const OURS: Vocabulary = { levelOf: levelOfAcr, wordOf: acrOfLevel, countsIdentity: false };

/** The words of a portal: URIs, unless its registration names the scale of a partner. */
export function vocabularyOf(client: Client, scales: Vocabularies): Vocabulary {
  const scale = client.assurance_scale as string | undefined;
  if (scale === undefined) return OURS;
  const vocabulary = scales(scale);
  if (vocabulary === undefined)
    throw new Fault('internal', `${client.clientId} uses the scale ${scale}, which is gone.`);
  return vocabulary;
}

/** The level without which nobody gets into a portal, by its registration as it stands now. */
export const minimumOf = (client: Client): Level => levelOfAcr(client.minimum_acr ?? ACR_VALUES[0]) ?? 1;

/** The parameters of an authorization request, as sent or as kept with its interaction. */
type Params = Readonly<Record<string, unknown>>;

interface AcrClaim {
  readonly essential?: unknown;
  readonly value?: unknown;
  readonly values?: unknown;
}

/**
 * What a request and the registration behind it demand of a sign-in. The claims parameter goes before `acr_values`: an essential demand is
 * not talked down by a wish beside it. Throws `invalid_request` where the essential levels are no list.
 */
export function demandOf(params: Params, client: Client, scales: Vocabularies): Demand {
  const vocabulary = vocabularyOf(client, scales);
  const { essential, words } = acrWanted(params);
  return {
    minimum: minimumOf(client),
    countsIdentity: vocabulary.countsIdentity,
    levels: words.flatMap((word) => vocabulary.levelOf(word) ?? []),
    essential,
    // The library has refused what is no number; the parameter stays text.
    maxAgeSeconds: params.max_age === undefined ? undefined : Number(params.max_age),
    prompts: textOf(params.prompt).split(' ').filter(Boolean),
    // The account centre asks so before what is sensitive (account-centre/fresh-proof.ts).
    asksOwner: client.first_party === true && params.max_age !== undefined,
    bindsFactors: client.first_party === true,
    staffOnly: client.staff_only === true,
  };
}

function acrWanted(params: Params): { readonly essential: boolean; readonly words: readonly unknown[] } {
  const claim = acrClaimOf(params.claims);
  const essential = claim.essential === true && (claim.value != null || claim.values != null);
  if (essential && claim.values != null && !Array.isArray(claim.values)) {
    throw new errors.InvalidRequest('invalid claims.id_token.acr.values type');
  }
  const named = Array.isArray(claim.values) ? claim.values : claim.value == null ? [] : [claim.value];
  if (essential || named.length > 0) return { essential, words: named };
  return { essential, words: textOf(params.acr_values).split(' ').filter(Boolean) };
}

/** The library has parsed the parameter before and refused what is no object. */
function acrClaimOf(claims: unknown): AcrClaim {
  if (typeof claims !== 'string' || claims === '') return {};
  const { id_token: wanted } = JSON.parse(claims) as { id_token?: { acr?: AcrClaim | null } | null };
  return wanted?.acr ?? {};
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The level a mandate allows at most; levels we do not know are no ceiling. Pure. */
export const cappedLevel = (level: Level, ceiling: string | undefined): Level =>
  Math.min(level, levelOfAcr(ceiling) ?? level) as Level;
