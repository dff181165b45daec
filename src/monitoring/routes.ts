/**
 * The closed list of route names a metric may bear. The first group are names of the protocol library, the second of our own
 * pages, the third of what the front answers by itself.
 */
export const ROUTES = [
  'authorization',
  'resume',
  'token',
  'userinfo',
  'introspection',
  'revocation',
  'pushed_authorization_request',
  'device_authorization',
  'code_verification',
  'device_resume',
  'end_session',
  'end_session_confirm',
  'end_session_success',
  'discovery',
  'jwks',
  'home',
  'interaction',
  'register',
  'account',
  'assets',
  'health',
  'refused',
  'other',
] as const;
export type RouteName = (typeof ROUTES)[number];

const BY_NAME: ReadonlyMap<unknown, number> = new Map(ROUTES.map((name, index) => [name, index]));
const OTHER_ROUTE = ROUTES.indexOf('other');

/** The place of a route in `ROUTES`; whatever is not listed there, such as a path, is `other`. */
export const routeIndex = (name: unknown): number => BY_NAME.get(name) ?? OTHER_ROUTE;

export const METHODS = ['GET', 'POST', 'HEAD', 'OPTIONS', 'other'] as const;
const METHOD_BY_NAME: ReadonlyMap<unknown, number> = new Map(METHODS.map((name, index) => [name, index]));
const OTHER_METHOD = METHODS.indexOf('other');

export const methodIndex = (name: unknown): number => METHOD_BY_NAME.get(name) ?? OTHER_METHOD;
