import type { Choices } from './fuzz-random.ts';

/** Markup that must never come back as markup. */
export const MARKUP_MARKER = '<tb-fuzz>';
/** A header field that exists only if a line break of ours was taken at face value. */
export const INJECTED_FIELD = 'x-tb-injected';

const INJECTION = `\r\n${INJECTED_FIELD}: 1\r\n\r\n`;
const segment = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const deepJson = `${'['.repeat(3000)}${']'.repeat(3000)}`;

/** Compact JWS of every sort that is none, or none to be trusted. */
const TOKENS: readonly string[] = [
  '.',
  '..',
  'a.b.c',
  'a.b.c.d.e',
  `${segment({ alg: 'none' })}.${segment({ iss: 'x', sub: 'x', aud: 'x', exp: 9999999999 })}.`,
  `${segment({ alg: 'ES256', kid: '../../../etc/passwd' })}.${segment({ sub: null })}.${'A'.repeat(86)}`,
  `${segment({ alg: 'HS256', typ: 'JWT' })}.${segment({ iss: 1, exp: 'soon' })}.c2ln`,
  `${segment({ alg: 'ES256', crit: ['x'], b64: false })}.payload.sig`,
  `${segment([])}.${segment('text')}.${segment(null)}`,
  `${segment({ alg: 'RS256', jku: 'http://127.0.0.1:1/keys', x5u: 'http://127.0.0.1:1/' })}.${segment({})}.AAAA`,
  `${segment({ alg: 'ES256', typ: 'dpop+jwt', jwk: { kty: 'EC', crv: 'P-256', x: '', y: '' } })}.${segment({ htm: [], htu: {}, jti: 0 })}.AAAA`,
  `${Buffer.from(deepJson).toString('base64url')}.${segment({})}.AAAA`,
  `eyJ${'A'.repeat(6000)}`,
];

const TEXTS: readonly string[] = [
  '',
  ' ',
  '0',
  '-1',
  'NaN',
  '1e309',
  '99999999999999999999',
  'null',
  'undefined',
  'true',
  '[]',
  '{}',
  '{"__proto__":{"polluted":true}}',
  '{"id_token":{"acr":{"essential":true,"values":[{}]}},"userinfo":{"sub":{"value":[]}}}',
  '{"userinfo":null,"id_token":{"constructor":null}}',
  deepJson,
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '__defineGetter__',
  'openid __proto__ constructor',
  'none login consent select_account',
  'create',
  `${MARKUP_MARKER}"'/*`,
  `"><svg onload=1>${MARKUP_MARKER}`,
  `javascript:alert(1)//${MARKUP_MARKER}`,
  INJECTION,
  `value${INJECTION}`,
  '\u0000',
  'a\u0000b',
  '\u001b[31m',
  '\u202e\u200b\ufeff',
  '通办身份证',
  '１１０１０１１９９００３０７７４７５',
  '١١٠١٠١١٩٩٠٠٣٠٧٧٤٧٥',
  '110101199003077475',
  '😀'.repeat(40),
  '\ud800',
  'e\u0301'.repeat(200),
  "' OR 1=1 --",
  "'; DROP TABLE persons; --",
  '%',
  '_%',
  '../../../../etc/passwd',
  '..\\..\\windows',
  '{{7*7}}',
  '<%= 1 %>',
  'https://evil.example/callback',
  'http://127.0.0.1:22/',
  '//evil.example',
  'data:text/html,x',
  'urn:ietf:params:oauth:request_uri:unknown',
  'urn:ietf:params:oauth:request_uri:__proto__',
  'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  'A'.repeat(256),
  'A'.repeat(5000),
  `${'a '.repeat(1500)}`,
  '-'.repeat(43),
  'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
];

/** Percent-encodings that say something else than they seem to, or nothing at all. Sent as they stand. */
const RAW: readonly string[] = [
  '%',
  '%0',
  '%zz',
  '%00',
  '%ff%fe',
  '%c0%af',
  '%ed%a0%80',
  '%u0041',
  '+',
  '%0d%0aSet-Cookie:x',
  '%E4%BD',
  '&&&=',
  '=',
  '%26%3D',
];

/** Names a query, a form or a JSON body should never be steered by. */
export const HOSTILE_NAMES: readonly string[] = [
  '__proto__',
  '__proto__[x]',
  'constructor',
  'constructor[prototype][x]',
  'toString',
  'hasOwnProperty',
  'client_id[]',
  'scope[0]',
  '',
  '%00',
  '%',
  'a'.repeat(400),
  '%E5%AF%86',
];

/** Parameters of the protocol, to be put where they do not belong. */
export const PROTOCOL_NAMES: readonly string[] =
  'client_id client_secret redirect_uri response_type response_mode scope state nonce prompt max_age display ui_locales claims_locales id_token_hint login_hint acr_values claims request request_uri registration code_challenge code_challenge_method code_verifier code grant_type refresh_token token token_type_hint client_assertion client_assertion_type resource dpop_jkt authorization_details logout_hint post_logout_redirect_uri device_code user_code xsrf logout username password assertion subject_token actor_token audience'.split(
    ' ',
  );

/** A value nobody expects, already encoded for a query or a form. */
export function hostileValue(choices: Choices): string {
  if (choices.chance(0.15)) return choices.of(RAW);
  if (choices.chance(0.2)) return encode(choices.of(TOKENS));
  return encode(choices.of(TEXTS));
}

/** A value nobody expects, for the inside of a header field: no line breaks, bytes as they would be sent. */
export function hostileFieldValue(choices: Choices): string {
  const value = choices.chance(0.3) ? choices.of(TOKENS) : choices.of(TEXTS);
  return latin1(value.toWellFormed()).replaceAll(/[\r\n\0]/g, ' ');
}

/** Percent-encodes text for a query or a form; half a surrogate pair becomes the replacement character. */
export const encode = (text: string): string => encodeURIComponent(text.toWellFormed());

/** The UTF-8 bytes of a text, one character each. */
export const latin1 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
