export interface HeaderOptions {
  /** True when the service is reached by https: adds HSTS. */
  readonly secure: boolean;
  /** What else a form of this page may lead to: see `formTarget`. */
  readonly formTargets?: readonly string[];
  /** Where browsers report violations of the content policy: an https address or a path of our own. */
  readonly reportUri?: string;
}

const YEAR_SECONDS = 31_536_000;
const PERMISSIONS = [
  'accelerometer',
  'camera',
  'display-capture',
  'geolocation',
  'gyroscope',
  'microphone',
  'payment',
  'usb',
]
  .map((feature) => `${feature}=()`)
  .join(', ');

const COMMON = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': PERMISSIONS,
  'x-frame-options': 'DENY',
} as const;

/**
 * The headers of every response, errors included (E5). Set them before the protocol library runs: it appends the hash of its own
 * auto-submitting page to `script-src`, and only to a directive that is already there.
 */
export function securityHeaders({
  secure,
  formTargets = [],
  reportUri,
}: HeaderOptions): Readonly<Record<string, string>> {
  return {
    'content-security-policy': contentPolicy(formTargets, reportUri),
    ...COMMON,
    ...(secure ? { 'strict-transport-security': `max-age=${YEAR_SECONDS}; includeSubDomains` } : {}),
  };
}

/** The Content-Security-Policy alone, for a page that turns out late to need another form target. */
export function contentPolicy(formTargets: readonly string[] = [], reportUri?: string): string {
  const directives = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "media-src 'self'",
    `form-action ${["'self'", ...new Set(formTargets)].join(' ')}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ];
  if (reportUri !== undefined) directives.push(`report-uri ${reportUri}`);
  return directives.join('; ');
}

/**
 * What `form-action` must admit so that the answer to a form may redirect to this address: browsers check the whole chain. The
 * origin for http and https, the bare scheme for an app's private scheme, undefined for an address that cannot be a target.
 * Built from the parsed address only, so nothing in it can add a directive of its own.
 */
export function formTarget(redirectUri: string): string | undefined {
  const address = URL.parse(redirectUri);
  if (address === null) return undefined;
  if (address.protocol === 'https:' || address.protocol === 'http:') return address.origin;
  if (['javascript:', 'data:', 'blob:', 'file:', 'vbscript:', 'about:'].includes(address.protocol)) return undefined;
  return address.protocol;
}
