import { SM_JOSE } from '../crypto/jose/profile.ts';
import type { RecordFault } from './rules.ts';
import type { RecordMembers } from './schema.ts';

type Known = Partial<Omit<RecordMembers, 'response_types'>>;

const ANSWERS = ['id_token', 'userinfo', 'authorization'] as const;

/** What SM2 asks of several members at once. Keys are taken by value: those at an address are read by the protocol library, which knows no SM2. */
export function sm2Faults(known: Known): RecordFault[] {
  return [...inboundFaults(known), ...ANSWERS.flatMap((answer) => encryptionFaults(known, answer))];
}

const SIGNED_BY_PORTAL = ['token_endpoint_auth_signing_alg', 'request_object_signing_alg'] as const;

/**
 * What a portal signs. One that signs anything with SM2 signs all of it so: the protocol library is shown none of its keys, that no
 * other of them opens another way in (oidc/sm2-notary.ts).
 */
function inboundFaults(known: Known): RecordFault[] {
  const withSm2 = SIGNED_BY_PORTAL.filter((field) => known[field] === SM_JOSE.signature);
  if (withSm2.length === 0) {
    if (known.sm2_signature_form === undefined) return [];
    const reason = `is for a ${SIGNED_BY_PORTAL.join(' or ')} of ${SM_JOSE.signature} alone`;
    return [{ field: 'sm2_signature_form', reason }];
  }
  const faults = SIGNED_BY_PORTAL.filter((field) => signs(known, field) && !withSm2.includes(field)).map((field) => ({
    field,
    reason: `must be ${SM_JOSE.signature} too, as ${withSm2[0]} is`,
  }));
  if (hasSm2Key(known, 'sig')) return faults;
  const reason = `must be given and hold a key on ${SM_JOSE.curve} for ${SM_JOSE.signature}`;
  return [...faults, { field: 'jwks', reason }];
}

/** Whether a portal signs this at all. Where no algorithm is named for an assertion, the library takes several. */
const signs = (known: Known, field: (typeof SIGNED_BY_PORTAL)[number]): boolean =>
  known[field] !== undefined ||
  (field === 'token_endpoint_auth_signing_alg' && known.token_endpoint_auth_method === 'private_key_jwt');

function encryptionFaults(known: Known, answer: (typeof ANSWERS)[number]): RecordFault[] {
  const [alg, enc, signed] = [
    `${answer}_encrypted_response_alg`,
    `${answer}_encrypted_response_enc`,
    `${answer}_signed_response_alg`,
  ] as const;
  if ((known[alg] === undefined) !== (known[enc] === undefined)) {
    return [
      { field: known[alg] === undefined ? alg : enc, reason: 'must be given too: neither goes without the other' },
    ];
  }
  if (known[alg] === undefined) return [];
  const faults: RecordFault[] = [];
  if (known[signed] !== SM_JOSE.signature) {
    faults.push({ field: signed, reason: `must be ${SM_JOSE.signature} for ${SM_JOSE.keyEncryption}` });
  }
  if (!hasSm2Key(known, 'enc')) {
    faults.push({ field: 'jwks', reason: `must hold a key on ${SM_JOSE.curve} with the use enc` });
  }
  return faults;
}

const hasSm2Key = ({ jwks }: Known, use: 'sig' | 'enc'): boolean =>
  jwks?.keys.some((key) => key.crv === SM_JOSE.curve && (key.use ?? 'sig') === use) === true;

const SIGNED = ['id_token', 'userinfo', 'introspection', 'authorization'] as const;

/** A submitted record with SM2 where it leaves the algorithm to us. */
export function withSmDefaults(input: object): Record<string, unknown> {
  const record: Record<string, unknown> = { id_token_signed_response_alg: SM_JOSE.signature, ...input };
  if (record.token_endpoint_auth_method === 'private_key_jwt') {
    record.token_endpoint_auth_signing_alg ??= SM_JOSE.signature;
  }
  if (typeof record.api === 'object' && record.api !== null) {
    record.api = { token_signing_alg: SM_JOSE.signature, ...record.api };
  }
  return record;
}

/** What a house that knows SM2 alone finds wrong with a record. */
export function smOnlyFaults(known: Known): RecordFault[] {
  const fields: string[] = [];
  for (const name of SIGNED) {
    const alg = known[`${name}_signed_response_alg`];
    if (alg !== undefined && alg !== SM_JOSE.signature) fields.push(`${name}_signed_response_alg`);
  }
  const { token_endpoint_auth_signing_alg: assertions, request_object_signing_alg: requests, api } = known;
  const assertsOtherwise = assertions !== undefined || known.token_endpoint_auth_method === 'private_key_jwt';
  if (assertsOtherwise && assertions !== SM_JOSE.signature) fields.push('token_endpoint_auth_signing_alg');
  if (requests !== undefined && requests !== SM_JOSE.signature) fields.push('request_object_signing_alg');
  if (api?.token_format === 'jwt' && api.token_signing_alg !== SM_JOSE.signature) fields.push('api.token_signing_alg');
  const faults: RecordFault[] = fields.map((field) => ({
    field,
    reason: `must be ${SM_JOSE.signature} on this server`,
  }));
  if (known.jwks?.keys.some(({ crv }) => crv !== SM_JOSE.curve) === true) {
    faults.push({ field: 'jwks', reason: `must hold keys on ${SM_JOSE.curve} alone on this server` });
  }
  if (known.jwks_uri !== undefined)
    faults.push({ field: 'jwks_uri', reason: 'must be left out on this server: give jwks' });
  if (known.dpop_bound_access_tokens === true) {
    faults.push({ field: 'dpop_bound_access_tokens', reason: 'must be false on this server: DPoP knows no SM2' });
  }
  return faults;
}

/** Whether a registered party may take part in a house that knows SM2 alone. */
export const isSmOnly = (record: Known): boolean => smOnlyFaults(record).length === 0;
