import { z } from 'zod';
import { SIGNATURE_ENCODINGS, SM_JOSE } from '../crypto/jose/profile.ts';
import { OWN_BEHALF, SUBJECT_KINDS } from './accepted-subjects.ts';
import { apiIdentifierFault, calledUriFault, isHost, shownUriFault, URI_CHARACTERS_MAX } from './addresses.ts';
import { keySetSchema } from './key-set.ts';

/** Scopes that need `approved_scopes`: they release what the law lets only some portals see. */
export const SENSITIVE_SCOPES: readonly string[] = ['id_number'];

/** Personal Information Protection Law, article 13, first paragraph, in its order. */
export const LEGAL_BASES = [
  'consent',
  'contract',
  'statutory_duty',
  'emergency',
  'public_interest',
  'published_data',
] as const;

/** The levels of assurance, from the lowest to the highest. */
export const ACR_VALUES = ['urn:tongban:acr:1', 'urn:tongban:acr:2', 'urn:tongban:acr:3', 'urn:tongban:acr:4'] as const;

const SIGNING_ALGS = ['ES256', 'RS256', SM_JOSE.signature] as const;
const REQUEST_ALGS = ['ES256', 'PS256', 'RS256', SM_JOSE.signature] as const;

/** How an authorization response goes to a portal: as plain parameters, or as one signed JWT (JARM 2.3). */
export const PLAIN_MODES = ['query', 'form_post'] as const;
export const SIGNED_MODES = ['jwt', 'query.jwt', 'form_post.jwt'] as const;
const encryption = {
  alg: z.literal(SM_JOSE.keyEncryption).optional(),
  enc: z.literal(SM_JOSE.contentEncryption).optional(),
};

/** Control, bidirectional, zero-width, surrogate and unassigned characters: what makes one name look like another (E6). */
const INVISIBLE = /\p{C}|\p{Zl}|\p{Zp}/u;

const text = (charactersMax: number) =>
  z
    .string()
    .min(1)
    .max(charactersMax)
    .refine((value) => !INVISIBLE.test(value), {
      message: 'must not contain control, bidirectional or invisible characters',
    })
    .refine((value) => value.trim() === value && value.normalize('NFC') === value, {
      message: 'must be in Unicode normal form NFC without blanks around it',
    });

const checked = (fault: (value: string) => string | undefined) =>
  z.string().superRefine((value, context) => {
    const reason = fault(value);
    if (reason !== undefined) context.addIssue({ code: 'custom', message: reason });
  });

const called = checked((value) => calledUriFault(value, { loopbackHttp: true }));
const shown = checked((value) => shownUriFault(value, { loopbackHttp: false }));
const uriList = z.array(z.string().max(URI_CHARACTERS_MAX)).max(50);
const scopeToken = z.string().regex(/^[a-z][a-z0-9_:./-]{0,63}$/, { message: 'must be a scope in lower-case letters' });
const flag = z.boolean();

/** `Object.prototype` names would resolve to something in a careless look-up (G5). */
const clientId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{2,63}$/, {
    message: 'must have 3 to 64 letters, digits, dots, hyphens or underscores',
  })
  .refine((value) => !(value in {}), { message: 'must not be a name reserved by the language' });

/**
 * A relying party as stored: client metadata of RFC 7591 and OpenID Connect Registration 1.0 that this server supports, and
 * our own members under plain names. Strict: a member it does not know is a mistake, not a wish.
 */
export const relyingPartySchema = z.strictObject({
  client_id: clientId.optional(),
  client_name: text(64),
  'client_name#en': text(96).optional(),
  description: text(400).optional(),
  /** For what the portal wants what people let it see: shown when it asks for their consent, and kept with it. */
  purpose: text(200).optional(),
  'purpose#en': text(300).optional(),
  /** On which basis of the Personal Information Protection Law, article 13; consent where nothing is said. */
  legal_basis: z.enum(LEGAL_BASES).optional(),
  /** The version of the portal's own notice to people. With another one they are asked again. */
  notice_version: text(40).optional(),
  client_uri: checked((value) => shownUriFault(value, { loopbackHttp: true })).optional(),
  /** Where a sign-in can be begun for this portal (OpenID Connect Core 4), such as to change for whom one acts. */
  initiate_login_uri: checked((value) => shownUriFault(value, { loopbackHttp: true })).optional(),
  logo_uri: shown.optional(),
  policy_uri: shown.optional(),
  tos_uri: shown.optional(),
  contacts: z.array(z.email().max(254)).max(10).optional(),
  application_type: z.enum(['web', 'native']).default('web'),
  redirect_uris: uriList.default([]),
  post_logout_redirect_uris: uriList.default([]),
  response_types: z.array(z.literal('code')).max(1).optional(),
  response_modes: z
    .array(z.enum([...PLAIN_MODES, ...SIGNED_MODES]))
    .min(1)
    .max(PLAIN_MODES.length + SIGNED_MODES.length)
    .optional(),
  grant_types: z
    .array(z.enum(['authorization_code', 'refresh_token', 'client_credentials']))
    .min(1)
    .max(3)
    .default(['authorization_code']),
  token_endpoint_auth_method: z
    .enum(['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'])
    .default('client_secret_basic'),
  token_endpoint_auth_signing_alg: z.enum(['ES256', 'PS256', SM_JOSE.signature]).optional(),
  /** How an older portal's SM2 signatures look: names and encodings other than those of the profile, where it needs them. */
  sm2_signature_form: z
    .strictObject({
      alg: z.enum([SM_JOSE.signature, ...SM_JOSE.signatureAliases]).default(SM_JOSE.signature),
      encoding: z.enum(SIGNATURE_ENCODINGS).default('raw'),
    })
    .optional(),
  jwks: keySetSchema.optional(),
  jwks_uri: called.optional(),
  subject_type: z.enum(['pairwise', 'public']).default('pairwise'),
  sector_identifier_uri: checked((value) => calledUriFault(value, { loopbackHttp: false })).optional(),
  /** The sector of the pairwise `sub`, given by the operator: a host name, kept when the portal moves to another address. */
  sector: z.string().refine(isHost, { message: 'must be a host name in lower case' }).optional(),
  id_token_signed_response_alg: z.enum(SIGNING_ALGS).default('ES256'),
  id_token_encrypted_response_alg: encryption.alg,
  id_token_encrypted_response_enc: encryption.enc,
  userinfo_signed_response_alg: z.enum(SIGNING_ALGS).optional(),
  userinfo_encrypted_response_alg: encryption.alg,
  userinfo_encrypted_response_enc: encryption.enc,
  introspection_signed_response_alg: z.enum(SIGNING_ALGS).optional(),
  /** Registers the portal for signed authorization responses (JARM 3), in the modes of `SIGNED_MODES`. */
  authorization_signed_response_alg: z.enum(SIGNING_ALGS).optional(),
  authorization_encrypted_response_alg: encryption.alg,
  authorization_encrypted_response_enc: encryption.enc,
  /** What the portal signs request objects with (RFC 9101): without it, it may send none. */
  request_object_signing_alg: z.enum(REQUEST_ALGS).optional(),
  /** Only requests inside a signed object are taken (RFC 9101 10.5). */
  require_signed_request_object: flag.default(false),
  backchannel_logout_uri: called.optional(),
  backchannel_logout_session_required: flag.default(false),
  default_max_age: z.int().min(0).max(31_536_000).optional(),
  require_auth_time: flag.default(false),
  require_pushed_authorization_requests: flag.default(false),
  dpop_bound_access_tokens: flag.default(false),
  /** What the portal may ask for, blank-separated (RFC 7591 2). */
  scope: z
    .string()
    .max(1024)
    .transform((value) => value.split(' '))
    .pipe(z.array(scopeToken).max(32))
    .transform((scopes) => [...new Set(scopes)].join(' '))
    .optional(),
  /** Sensitive scopes the operator has approved after seeing the legal basis. */
  approved_scopes: z.array(scopeToken).max(32).default([]),
  /** For whom people may act at this portal (accepted-subjects.ts). It never receives another. */
  accepts_subjects: z
    .array(z.enum(SUBJECT_KINDS))
    .min(1)
    .refine((kinds) => new Set(kinds).size === kinds.length, { message: 'must not name a kind twice' })
    .default([...OWN_BEHALF]),
  /** The level without which nobody gets in here, whatever a request asks for. */
  minimum_acr: z.enum(ACR_VALUES).optional(),
  /** Only members of staff get in, from the office and in its hours, with two factors of which one is cryptographic. */
  staff_only: z.literal(true).optional(),
  /** The portal names levels, and is told them, in the words of a partner (config/assurance-scales.json). */
  assurance_scale: z
    .string()
    .regex(/^[a-z][a-z0-9-]{1,39}$/, { message: 'must be the name of a scale in lower-case letters' })
    .optional(),
  /** The API this party offers to others. Access tokens for it name `identifier` as their audience (RFC 8707, RFC 9068). */
  api: z
    .strictObject({
      identifier: checked(apiIdentifierFault),
      scopes: z.array(scopeToken).min(1).max(32),
      token_format: z.enum(['jwt', 'opaque']).default('jwt'),
      /** What tokens for this API are signed with; of no account for opaque ones. */
      token_signing_alg: z.enum(['ES256', SM_JOSE.signature]).default('ES256'),
    })
    .optional(),
  /** Parties whose APIs the operator lets this one call, and with which of their scopes. */
  apis: z
    .array(z.strictObject({ client_id: clientId, scopes: z.array(scopeToken).min(1).max(32) }))
    .max(16)
    .default([]),
  /** No consent page: only for the operator's own account centre, whose pages are part of this service. */
  first_party: flag.default(false),
});

/** What a party offers as an API. */
export type OfferedApi = NonNullable<RecordMembers['api']>;
/** The members of a record, each well formed by itself. */
export type RecordMembers = z.output<typeof relyingPartySchema>;
/** A record that passed every rule, with its defaults filled in. */
export type RelyingPartyRecord = Readonly<
  Omit<RecordMembers, 'response_types' | 'scope'> & { response_types: readonly 'code'[]; scope: string }
>;
