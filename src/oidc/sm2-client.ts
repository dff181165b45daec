import type { Client, JWK } from 'oidc-provider';
import type { Recipient } from '../crypto/jose/jwe.ts';
import { SIGNATURE_FORM, type SignatureForm, SM_JOSE } from '../crypto/jose/profile.ts';
import { readSm2Jwk } from '../crypto/jose/sm2-jwk.ts';
import type { Sm2PublicKey } from '../crypto/sm2/sm2.ts';
import type { RelyingParty } from '../relying-parties/relying-party.ts';
import { type ProtocolMetadata, toProtocolMetadata } from '../relying-parties/relying-party.ts';
import { STAND_IN_ALG } from './sm2-stand-in.ts';

/** The member of a library client that says what the library does not know of: its value is `Sm2Wishes`. */
export const SM2_METADATA = 'sm2';

/** What a portal has to do with SM2 besides the algorithms the library writes down. */
export interface Sm2Wishes {
  /** How the portal signs; absent unless it signs something with SM2. */
  readonly form?: SignatureForm;
  /** What it signs so. */
  readonly signs: readonly Signed[];
  /** Which answers are encrypted to the portal. */
  readonly encrypted: readonly Answer[];
  /** The portal's SM2 keys. */
  readonly keys: readonly JWK[];
}

const ANSWERS = ['id_token', 'userinfo', 'authorization'] as const;
const SIGNED = [...ANSWERS, 'introspection'] as const;

/** What may be encrypted to a portal. */
export type Answer = (typeof ANSWERS)[number];
/** What a portal signs: client assertions (RFC 7523) and request objects (RFC 9101). */
export type Signed = 'assertion' | 'request';
const SIGNING_ALG = {
  assertion: 'token_endpoint_auth_signing_alg',
  request: 'request_object_signing_alg',
} as const satisfies Record<Signed, keyof RelyingParty['record']>;
const SIGNED_BY_PORTAL = Object.keys(SIGNING_ALG) as Signed[];

/**
 * The metadata the library is given for a party: SM2 written as what the library knows. Where the party signs with SM2, the only
 * key the library sees is that of the notary (sm2-notary.ts), so that no other key of the party opens another way in. Pure.
 */
export function toLibraryMetadata(party: RelyingParty, notary: JWK): ProtocolMetadata {
  const metadata: Record<string, unknown> = { ...toProtocolMetadata(party) };
  const { record } = party;
  for (const name of SIGNED) {
    const member = `${name}_signed_response_alg` as const;
    if (record[member] === SM_JOSE.signature) metadata[member] = STAND_IN_ALG;
  }
  const encrypted = ANSWERS.filter((name) => record[`${name}_encrypted_response_alg`] !== undefined);
  for (const name of ANSWERS) {
    delete metadata[`${name}_encrypted_response_alg`];
    delete metadata[`${name}_encrypted_response_enc`];
  }
  delete metadata.sm2_signature_form;
  const signs = SIGNED_BY_PORTAL.filter((what) => record[SIGNING_ALG[what]] === SM_JOSE.signature);
  for (const what of signs) metadata[SIGNING_ALG[what]] = notary.alg;
  if (signs.length > 0) metadata.jwks = { keys: [notary] };
  const wishes: Sm2Wishes = {
    ...(signs.length > 0 ? { form: record.sm2_signature_form ?? SIGNATURE_FORM } : {}),
    signs,
    encrypted,
    keys: (record.jwks?.keys ?? []).filter(({ crv }) => crv === SM_JOSE.curve) as JWK[],
  };
  if (signs.length > 0 || encrypted.length > 0) metadata[SM2_METADATA] = wishes;
  return metadata as ProtocolMetadata;
}

const wishesOf = (client: Client): Sm2Wishes | undefined => client[SM2_METADATA] as Sm2Wishes | undefined;

/** How this client signs this when it signs it with SM2. */
export function formOf(client: Client, what: Signed): SignatureForm | undefined {
  const wishes = wishesOf(client);
  return wishes?.signs.includes(what) ? wishes.form : undefined;
}

const keysOf = new WeakMap<Sm2Wishes, readonly NamedKey[]>();

interface NamedKey {
  readonly kid: string | undefined;
  readonly key: Sm2PublicKey;
  readonly use: string;
}

/** Read once for as long as the client's record stays the same: a point is checked, and its Z computed. */
function namedKeys(wishes: Sm2Wishes): readonly NamedKey[] {
  const known = keysOf.get(wishes);
  if (known !== undefined) return known;
  const keys = wishes.keys.map((jwk) => ({ kid: jwk.kid, key: readSm2Jwk({ ...jwk }), use: jwk.use ?? 'sig' }));
  keysOf.set(wishes, keys);
  return keys;
}

/** The keys that may have signed something with this `kid`, or with none. */
export function signingKeysOf(client: Client, kid: unknown): readonly Sm2PublicKey[] {
  const wishes = wishesOf(client);
  if (wishes === undefined) return [];
  const fitting = namedKeys(wishes).filter((named) => named.use === 'sig' && (kid === undefined || named.kid === kid));
  return fitting.map(({ key }) => key);
}

/** To whom this answer is encrypted; undefined for one that is not. */
export function recipientOf(client: Client, answer: Answer): Recipient | undefined {
  const wishes = wishesOf(client);
  return wishes?.encrypted.includes(answer) ? namedKeys(wishes).find(({ use }) => use === 'enc') : undefined;
}
