/**
 * Which addresses a relying party may register. Every function answers `undefined` when the address is accepted, else the
 * reason in one clause. An address must be written in the normal form of the WHATWG URL standard: what a human reads, what a
 * browser follows and what is compared character by character at the authorization endpoint are then the same text
 * (RFC 9700 2.1), and tabs, backslashes, upper-case hosts, `127.1`, `%2e%2e` or a missing slash have nowhere to hide.
 */
export type ApplicationType = 'web' | 'native';

export const URI_CHARACTERS_MAX = 1024;

/** Compared as whole host names: `localhost.evil.cn` or `127.0.0.1.evil.cn` is a stranger (V17). */
const LOOPBACK_HOSTS: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Schemes that run or show content instead of reaching an app, even if one day spelt with a dot (V35, V47). */
const CONTENT_SCHEMES: ReadonlySet<string> = new Set([
  'about:',
  'blob:',
  'data:',
  'file:',
  'filesystem:',
  'ftp:',
  'intent:',
  'javascript:',
  'mailto:',
  'vbscript:',
  'view-source:',
  'ws:',
  'wss:',
]);

/** What the server itself appends to a redirect URI; a registered copy would let two readers see two answers. */
const RESPONSE_PARAMETERS: readonly string[] = [
  'code',
  'state',
  'iss',
  'error',
  'error_description',
  'id_token',
  'response',
];

const PRINTABLE_ASCII = /^[\x21-\x7e]+$/;
const PRIVATE_USE_SCHEME = /^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:$/;
/** An encoded dot, slash, backslash, percent sign or control character: decoded twice it becomes another path. */
const DISGUISED = /%(2e|2f|5c|25|0[0-9a-f]|1[0-9a-f]|7f)/i;
const DOT_SEGMENT_WITH_PARAMETER = /(^|\/)\.{1,2};/;
const DNS_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?)*$/;
const IPV6_LITERAL = /^\[[0-9a-f:]+\]$/;

/** A redirect or post-logout redirect address (RFC 6749 3.1.2, RFC 8252 7, OIDC Registration 2). */
export function redirectUriFault(text: string, applicationType: ApplicationType): string | undefined {
  const parsed = inNormalForm(text);
  if (typeof parsed === 'string') return parsed;
  if (DISGUISED.test(text)) return 'must not contain encoded dots, slashes, percent signs or control characters';
  if (DOT_SEGMENT_WITH_PARAMETER.test(parsed.pathname)) return 'must not contain dot segments';
  const clash = RESPONSE_PARAMETERS.find((name) => parsed.searchParams.has(name));
  if (clash !== undefined) return `must not carry the parameter ${clash}, which the answer itself uses`;
  if (parsed.protocol !== 'https:' && parsed.protocol !== 'http:') return privateUseFault(parsed, applicationType);
  const fault = webFault(parsed, { loopbackHttp: true });
  if (fault !== undefined) return fault;
  if (applicationType === 'native' && parsed.protocol === 'https:' && LOOPBACK_HOSTS.has(parsed.hostname)) {
    return 'must use http for a loopback address of a native app (RFC 8252 7.3)';
  }
  return undefined;
}

/** An address this server calls: keys, back-channel logout, sector document. */
export function calledUriFault(text: string, options: { readonly loopbackHttp: boolean }): string | undefined {
  const parsed = inNormalForm(text);
  return typeof parsed === 'string' ? parsed : webFault(parsed, options);
}

/** An address a person may follow or a picture shown to them: https and nothing else (E6), loopback http only where asked for. */
export const shownUriFault = calledUriFault;

/** What names an API (RFC 8707 2): an https address, compared as a text and never called. */
export function apiIdentifierFault(text: string): string | undefined {
  const fault = calledUriFault(text, { loopbackHttp: true });
  if (fault !== undefined) return fault;
  return new URL(text).search === '' ? undefined : 'must not have a query';
}

/** The host of an accepted address with its port if it has one; '' for a private-use scheme without an authority. */
export const hostOf = (uri: string): string => new URL(uri).host;

/** Whether `text` is a plain host name, with an optional port, as a sector is written. */
export function isHost(text: string): boolean {
  const [name = '', port, ...rest] = text.split(':');
  return rest.length === 0 && DNS_NAME.test(name) && (port === undefined || /^[1-9]\d{0,4}$/.test(port));
}

function inNormalForm(text: string): URL | string {
  if (text.length === 0 || text.length > URI_CHARACTERS_MAX) return `must have 1 to ${URI_CHARACTERS_MAX} characters`;
  if (!PRINTABLE_ASCII.test(text))
    return 'must consist of printable ASCII characters (international hosts in their xn-- form)';
  if (text.includes('\\')) return 'must not contain a backslash';
  if (text.includes('*')) return 'must not contain a wildcard';
  if (text.includes('#')) return 'must not contain a fragment';
  const parsed = URL.parse(text);
  if (parsed === null) return 'must be an absolute URI';
  if (CONTENT_SCHEMES.has(parsed.protocol)) return `must not use the scheme ${parsed.protocol}`;
  if (parsed.username !== '' || parsed.password !== '' || /^[^/]*:\/\/[^/?]*@/.test(text))
    return 'must not contain user information (@)';
  if (parsed.href !== text && parsed.href !== `${text}/`)
    return 'must be written in its normal form: lower-case host, no default port, no dot segments';
  return parsed;
}

function webFault(parsed: URL, options: { readonly loopbackHttp: boolean }): string | undefined {
  if (parsed.protocol === 'http:') {
    if (!options.loopbackHttp) return 'must use https';
    if (!LOOPBACK_HOSTS.has(parsed.hostname)) return 'must use https; http is for localhost, 127.0.0.1 and [::1] alone';
  } else if (parsed.protocol !== 'https:') return 'must use https';
  if (!DNS_NAME.test(parsed.hostname) && !IPV6_LITERAL.test(parsed.hostname)) return 'must name a valid host';
  return undefined;
}

function privateUseFault(parsed: URL, applicationType: ApplicationType): string | undefined {
  if (applicationType !== 'native') return 'must use https; a scheme of its own is for application_type native';
  if (!PRIVATE_USE_SCHEME.test(parsed.protocol))
    return 'must use a scheme that contains a dot, like cn.gov.example.app (RFC 8252 7.1)';
  if (!parsed.pathname.startsWith('/') && parsed.host === '') return 'must have a path that begins with a slash';
  return undefined;
}
