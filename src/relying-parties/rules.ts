import { hostOf, redirectUriFault } from './addresses.ts';
import { type RecordMembers, SENSITIVE_SCOPES, SIGNED_MODES } from './schema.ts';
import { sm2Faults } from './sm2-rules.ts';

/** One thing wrong with a submitted record. `field` names the member, with the index where it is a list. */
export interface RecordFault {
  readonly field: string;
  readonly reason: string;
}

/** Members of a record that are well formed by themselves; a faulty one is absent, and rules about it stay silent. */
type Known = Partial<RecordMembers>;

/** What this server knows; what is left out is not checked. */
interface Supported {
  readonly scopesSupported?: readonly string[];
  readonly scalesSupported?: readonly string[];
}

/** Every rule that spans several members of a record. Pure. */
export function crossFaults(known: Known, supported: Supported = {}): RecordFault[] {
  return [
    ...redirectFaults(known),
    ...flowFaults(known),
    ...authenticationFaults(known),
    ...signedAnswerFaults(known),
    ...signedRequestFaults(known),
    ...sm2Faults(known),
    ...sectorFaults(known),
    ...scopeFaults(known, supported.scopesSupported),
    ...assuranceFaults(known, supported.scalesSupported),
    ...logoutFaults(known),
  ];
}

function redirectFaults({
  redirect_uris = [],
  post_logout_redirect_uris = [],
  application_type = 'web',
}: Known): RecordFault[] {
  const faults: RecordFault[] = [];
  for (const [field, uris] of Object.entries({ redirect_uris, post_logout_redirect_uris })) {
    for (const [index, uri] of uris.entries()) {
      const reason =
        redirectUriFault(uri, application_type) ?? (uris.indexOf(uri) < index ? 'is listed twice' : undefined);
      if (reason !== undefined) faults.push({ field: `${field}[${index}]`, reason });
    }
  }
  return faults;
}

function flowFaults({ grant_types, response_types, redirect_uris, staff_only }: Known): RecordFault[] {
  const faults: RecordFault[] = [];
  if (grant_types === undefined || response_types === undefined) return faults;
  const codeFlow = response_types.length > 0;
  if (codeFlow !== grant_types.includes('authorization_code')) {
    faults.push({
      field: 'response_types',
      reason: "must be ['code'] with the grant authorization_code and [] without it",
    });
  }
  if (grant_types.includes('refresh_token') && !grant_types.includes('authorization_code')) {
    faults.push({ field: 'grant_types', reason: 'must include authorization_code where it includes refresh_token' });
  }
  if (staff_only && grant_types.includes('refresh_token')) {
    faults.push({
      field: 'grant_types',
      reason: 'must not include refresh_token for members of staff: they sign in anew',
    });
  }
  if (redirect_uris !== undefined && codeFlow !== redirect_uris.length > 0) {
    const reason = codeFlow ? 'must have at least one address' : 'must be empty for a service that signs nobody in';
    faults.push({ field: 'redirect_uris', reason });
  }
  return faults;
}

function authenticationFaults(known: Known): RecordFault[] {
  const faults: RecordFault[] = [];
  const method = known.token_endpoint_auth_method;
  const keyed = known.jwks !== undefined || known.jwks_uri !== undefined;
  if (known.jwks !== undefined && known.jwks_uri !== undefined) {
    faults.push({ field: 'jwks_uri', reason: 'must not be given together with jwks' });
  }
  if (method === 'private_key_jwt' && !keyed) {
    faults.push({ field: 'jwks', reason: 'must be given, or jwks_uri, for private_key_jwt' });
  }
  if (method !== undefined && method !== 'private_key_jwt' && known.token_endpoint_auth_signing_alg !== undefined) {
    faults.push({ field: 'token_endpoint_auth_signing_alg', reason: 'is for private_key_jwt alone' });
  }
  if (method === 'none' && known.grant_types?.includes('client_credentials')) {
    faults.push({ field: 'grant_types', reason: 'must not include client_credentials without client authentication' });
  }
  return faults;
}

/** A portal that can be sent a signed answer says what it is to be signed with. */
function signedAnswerFaults({ response_modes: modes, authorization_signed_response_alg: alg }: Known): RecordFault[] {
  const signed = modes?.filter((mode) => SIGNED_MODES.some((one) => one === mode));
  if (signed !== undefined && signed.length > 0 && alg === undefined) {
    return [{ field: 'authorization_signed_response_alg', reason: `must be given for the response mode ${signed[0]}` }];
  }
  if (signed?.length === 0 && alg !== undefined) {
    const reason = `must include one of ${SIGNED_MODES.join(', ')} with authorization_signed_response_alg`;
    return [{ field: 'response_modes', reason }];
  }
  return [];
}

/** Nothing is verified with a key or an algorithm that was not registered beforehand. */
function signedRequestFaults(known: Known): RecordFault[] {
  if (known.request_object_signing_alg === undefined) {
    return known.require_signed_request_object === true
      ? [{ field: 'request_object_signing_alg', reason: 'must be given with require_signed_request_object' }]
      : [];
  }
  if (known.jwks !== undefined || known.jwks_uri !== undefined) return [];
  return [{ field: 'jwks', reason: 'must be given, or jwks_uri, with request_object_signing_alg' }];
}

/** Portals of one sector see the same person under the same `sub` (OIDC Core 8.1): which sector must never be a guess. */
function sectorFaults(known: Known): RecordFault[] {
  const { sector, sector_identifier_uri, subject_type, redirect_uris = [], application_type = 'web' } = known;
  if (sector !== undefined && sector_identifier_uri !== undefined) {
    return [{ field: 'sector', reason: 'must not be given together with sector_identifier_uri' }];
  }
  const sound = redirect_uris.every((uri) => redirectUriFault(uri, application_type) === undefined);
  if (subject_type !== 'pairwise' || sector !== undefined || sector_identifier_uri !== undefined || !sound) return [];
  const hosts = new Set(redirect_uris.map(hostOf));
  if (hosts.size > 1) {
    return [
      { field: 'sector', reason: 'must be given, or sector_identifier_uri, since redirect_uris name several hosts' },
    ];
  }
  return hosts.has('')
    ? [{ field: 'sector', reason: 'must be given, or sector_identifier_uri, since redirect_uris name no host' }]
    : [];
}

function scopeFaults({ scope, approved_scopes, response_types }: Known, supported?: readonly string[]): RecordFault[] {
  const faults: RecordFault[] = [];
  const wanted = scope === undefined || scope === '' ? [] : scope.split(' ');
  if (scope !== undefined && response_types !== undefined && response_types.length > 0 && !wanted.includes('openid')) {
    faults.push({ field: 'scope', reason: 'must include openid' });
  }
  for (const name of wanted) {
    if (SENSITIVE_SCOPES.includes(name) && approved_scopes !== undefined && !approved_scopes.includes(name)) {
      faults.push({ field: 'scope', reason: `must not include ${name} unless approved_scopes lists it` });
    }
  }
  for (const [field, names] of Object.entries({ scope: wanted, approved_scopes: approved_scopes ?? [] })) {
    const unknown = names.find((name) => supported?.includes(name) === false);
    if (unknown !== undefined)
      faults.push({ field, reason: `must not include ${unknown}, which this server does not know` });
  }
  return faults;
}

function assuranceFaults(
  { assurance_scale: scale, response_types }: Known,
  supported?: readonly string[],
): RecordFault[] {
  if (scale === undefined) return [];
  if (supported?.includes(scale) === false) {
    return [{ field: 'assurance_scale', reason: `must be one of ${supported.join(', ')}` }];
  }
  return response_types?.length === 0
    ? [{ field: 'assurance_scale', reason: 'must be left out for a service that signs nobody in' }]
    : [];
}

function logoutFaults(known: Known): RecordFault[] {
  if (known.backchannel_logout_session_required !== true || known.backchannel_logout_uri !== undefined) return [];
  return [{ field: 'backchannel_logout_session_required', reason: 'must not be true without backchannel_logout_uri' }];
}
