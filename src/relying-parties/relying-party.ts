import { hostOf } from './addresses.ts';
import { PLAIN_MODES, type RelyingPartyRecord, SIGNED_MODES } from './schema.ts';

/** A portal that trusts our tokens, as stored. Values are frozen and shared by all readers. */
export interface RelyingParty {
  readonly clientId: string;
  readonly record: RelyingPartyRecord;
  /** See secret.ts; null for a party that proves itself by key, or not at all. */
  readonly secretDigest: string | null;
  readonly status: 'active' | 'disabled';
  /** Epoch seconds. */
  readonly createdAt: number;
  readonly updatedAt: number;
}

/**
 * The name a page in `language` (BCP 47) gives a party: the one registered for English on English pages, else the one every party
 * has (the language tags of OpenID Connect Registration 1.0 2.1). Pure.
 */
export const shownName = (
  record: Pick<RelyingPartyRecord, 'client_name' | 'client_name#en'>,
  language: string,
): string => (language === 'en' ? record['client_name#en'] : undefined) ?? record.client_name;

/**
 * The protocol library wants a sector document wherever redirect URIs name several hosts or none. A sector that the operator
 * vouched for needs no document: it is put under a name that RFC 2606 keeps from ever resolving.
 */
const VOUCHED_SECTOR_ORIGIN = 'https://sector.invalid';

/** Members of the metadata below that the protocol library does not know and must be told of (`extraClientMetadata.properties`). */
export const EXTRA_METADATA: readonly string[] = [
  'accepts_subjects',
  'api',
  'apis',
  'assurance_scale',
  'client_name#en',
  'description',
  'first_party',
  'legal_basis',
  'minimum_acr',
  'notice_version',
  'purpose',
  'purpose#en',
  'sector',
  'staff_only',
];

/** What the protocol library takes as client metadata, plus `EXTRA_METADATA`. */
export type ProtocolMetadata = Readonly<Record<string, unknown>> & { readonly client_id: string };

const memo = new WeakMap<RelyingParty, ProtocolMetadata>();

/**
 * The sector a pairwise `sub` is computed for (OIDC Core 8.1): the operator's, else the host of `sector_identifier_uri`, else the
 * one host (with port) of the redirect URIs. Undefined for a public subject and for a service that signs nobody in. Pure.
 */
export function sectorOf({ record }: RelyingParty): string | undefined {
  if (record.subject_type === 'public' || record.response_types.length === 0) return undefined;
  if (record.sector !== undefined) return record.sector;
  const source = record.sector_identifier_uri ?? record.redirect_uris[0];
  return source === undefined ? undefined : hostOf(source);
}

/** Whether a sector document must be fetched and compared: false for a sector the operator vouched for. */
export const sectorIsFetched = (sectorIdentifierUri: string): boolean =>
  !sectorIdentifierUri.startsWith(`${VOUCHED_SECTOR_ORIGIN}/`);

/**
 * The client metadata handed to the protocol library. `client_secret` is the stored digest: whoever compares secrets digests the
 * presented one first (`secretMatches`). One frozen object per party, so that callers may compare by identity.
 */
export function toProtocolMetadata(party: RelyingParty): ProtocolMetadata {
  const known = memo.get(party);
  if (known !== undefined) return known;
  const { approved_scopes: _, contacts: __, initiate_login_uri: ___, ...shared } = party.record;
  const metadata: ProtocolMetadata = Object.freeze({
    ...shared,
    client_id: party.clientId,
    response_modes: responseModesOf(party.record),
    ...(party.secretDigest === null ? {} : { client_secret: party.secretDigest }),
    ...sectorMetadata(party),
  });
  memo.set(party, metadata);
  return metadata;
}

/** How a portal may be answered where its record leaves it open: signed only where it says what is to be signed with. */
const responseModesOf = (record: RelyingPartyRecord): readonly string[] =>
  record.response_modes ??
  (record.authorization_signed_response_alg === undefined ? PLAIN_MODES : [...PLAIN_MODES, ...SIGNED_MODES]);

/**
 * Where a person goes to act at this portal for somebody else, without a new sign-in: the portal is asked to begin one (OpenID
 * Connect Core 4) and told for whom, as `self` or a Unified Social Credit Code; left out, the person chooses. Undefined for a portal
 * that has registered no such address, or takes people on their own behalf alone. Pure.
 */
export function switchUrl({ record, status }: RelyingParty, issuer: string, actingAs?: string): string | undefined {
  const { initiate_login_uri: address, accepts_subjects: accepted } = record;
  if (address === undefined || status !== 'active' || accepted.every((kind) => kind === 'natural')) return undefined;
  const url = new URL(address);
  url.searchParams.set('iss', issuer);
  if (actingAs === undefined) url.searchParams.set('prompt', 'select_account');
  else url.searchParams.set('acting_as', actingAs);
  return url.href;
}

function sectorMetadata(party: RelyingParty): Record<string, string> {
  const { record } = party;
  const sector = sectorOf(party);
  // A service has no subject; the library cannot derive a sector for it and would refuse `pairwise`.
  if (sector === undefined) return { subject_type: 'public' };
  const hosts = new Set(record.redirect_uris.map(hostOf));
  const derivable = record.sector_identifier_uri !== undefined || (hosts.size === 1 && !hosts.has(''));
  return derivable ? { sector } : { sector, sector_identifier_uri: `${VOUCHED_SECTOR_ORIGIN}/${party.clientId}` };
}
