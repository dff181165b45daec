import type { Draft, Pair } from './fuzz-draft.ts';
import type { Choices } from './fuzz-random.ts';
import { HOSTILE_NAMES, hostileFieldValue, hostileValue, INJECTED_FIELD, PROTOCOL_NAMES } from './fuzz-values.ts';

type Mutation = (draft: Draft, choices: Choices) => Draft;

const METHODS = ['GET', 'POST', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND', 'SEARCH', 'LINK'];
const CONTENT_TYPES = [
  undefined,
  '',
  'application/json',
  'application/json; charset=utf-7',
  'text/plain',
  'text/xml',
  'multipart/form-data; boundary=x',
  'multipart/form-data',
  'application/x-www-form-urlencoded; charset=gbk',
  'APPLICATION/X-WWW-FORM-URLENCODED',
  'application/jwt',
  'application/token-introspection+jwt',
  '*/*',
  ';',
  'application/x-www-form-urlencoded, application/json',
];
const BODIES = [
  '',
  '{',
  '{}',
  '[]',
  'null',
  '{"__proto__":{"admin":true},"constructor":{"prototype":{"x":1}}}',
  '[['.repeat(2000),
  '--x\r\nContent-Disposition: form-data; name="client_id"\r\n\r\nx\r\n--x--',
  '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><a>&b;</a>',
  'a=1&'.repeat(1500),
  '\u0000'.repeat(100),
  'x'.repeat(70_000),
  'a=b'.repeat(40_000),
];
const FIELDS: readonly Pair[] = [
  ['Origin', 'null'],
  ['Origin', 'https://evil.example'],
  ['Sec-Fetch-Site', 'cross-site'],
  ['Referer', 'javascript:1'],
  ['Accept', 'application/json'],
  ['Accept', '*/*;q=x, ,text/html;q=2'],
  ['Accept-Language', 'en'],
  ['Accept-Language', `zh-CN,${'x-y;q=0.1,'.repeat(300)}`],
  ['Accept-Encoding', 'gzip;q=NaN, br'],
  ['If-None-Match', '*'],
  ['If-None-Match', '"'],
  ['If-Modified-Since', 'yesterday'],
  ['Range', 'bytes=5-2,0-,-1'],
  ['Content-Encoding', 'gzip'],
  ['Content-Language', '__proto__'],
  ['X-Forwarded-For', '1.2.3.4, unknown, ::1'],
  ['X-Forwarded-Host', 'evil.example'],
  ['X-Forwarded-Proto', 'https'],
  ['Forwarded', 'for=_hidden;host=evil.example;proto=gopher'],
  ['X-HTTP-Method-Override', 'DELETE'],
  ['X-Request-Id', '<tb-fuzz>'],
  ['Upgrade', 'websocket'],
  ['Expect', '100-continue'],
  ['Host', 'evil.example'],
  ['Host', ''],
  ['Host', 'localhost:99999'],
  ['Host', '[::1'],
  ['Host', 'a@b:1/..?#'],
  ['Access-Control-Request-Method', 'POST'],
  ['Access-Control-Request-Headers', 'authorization, __proto__'],
  ['traceparent', '00-zz'],
];
const CREDENTIALS = [
  'Basic',
  'Basic ',
  'Basic ===',
  'Basic Og==',
  'Basic Ojo6',
  `Basic ${Buffer.from('%zz:%').toString('base64')}`,
  `Basic ${Buffer.from('__proto__:x').toString('base64')}`,
  `Basic ${Buffer.from('\u0000:\u0000').toString('base64')}`,
  `Basic ${Buffer.from([0xff, 0xfe, 0x3a, 0xff]).toString('base64')}`,
  `Basic ${'QUFB'.repeat(1500)}`,
  'Bearer',
  'Bearer ',
  'Bearer a b c',
  'Bearer __proto__',
  `Bearer ${'x'.repeat(8000)}`,
  'DPoP x',
  'Digest username="x"',
  'basic: x',
  ',',
];

const replaceAt = <T>(items: readonly T[], index: number, item: T): readonly T[] =>
  items.map((old, at) => (at === index ? item : old));
const without = <T>(items: readonly T[], index: number): readonly T[] => items.filter((_, at) => at !== index);

/** Applies a change of pairs to the form if there is one, else to the query. */
function onParameters(draft: Draft, choices: Choices, change: (pairs: readonly Pair[]) => readonly Pair[]): Draft {
  if (draft.form && (draft.query.length === 0 || choices.chance(0.8))) return { ...draft, form: change(draft.form) };
  return { ...draft, query: change(draft.query) };
}

const mutateParameters: Mutation = (draft, choices) =>
  onParameters(draft, choices, (pairs) => {
    const index = choices.below(pairs.length);
    const [name, value] = pairs[index] ?? ['', ''];
    const kind = pairs.length === 0 ? 4 : choices.below(8);
    if (kind <= 2) return replaceAt(pairs, index, [name, hostileValue(choices)]);
    if (kind === 3) return without(pairs, index);
    if (kind === 4) return [...pairs, [choices.of(PROTOCOL_NAMES), hostileValue(choices)]];
    if (kind === 5) return [...pairs, [name, choices.chance(0.5) ? value : hostileValue(choices)]];
    if (kind === 6) return [...pairs, [choices.of(HOSTILE_NAMES), hostileValue(choices)]];
    return replaceAt(pairs, index, [choices.chance(0.5) ? name.toUpperCase() : choices.of(HOSTILE_NAMES), value]);
  });

const mutateMethod: Mutation = (draft, choices) => ({ ...draft, method: choices.of(METHODS) });

const mutateBody: Mutation = (draft, choices) => {
  const contentType = choices.of(CONTENT_TYPES);
  if (choices.chance(0.4)) return { ...draft, contentType };
  return { ...draft, contentType: choices.chance(0.5) ? contentType : draft.contentType, body: choices.of(BODIES) };
};

const mutatePath: Mutation = (draft, choices) => {
  const { path } = draft;
  const slash = path.lastIndexOf('/');
  const variants = [
    path.toUpperCase(),
    `${path}/`,
    `${path}//`,
    `/${path}`,
    `${path}/..`,
    `/.${path}`,
    `/assets/..%2f..${path}`,
    `${path};a=b`,
    `${path}.json`,
    `${path}%00`,
    `${path}%`,
    `${path}/%ff`,
    `${path}/%2e%2e/`,
    `${path}/${'x'.repeat(3000)}`,
    `${path.slice(0, slash)}/${hostileValue(choices)}`,
    `${path.slice(0, slash)}/__proto__`,
    `${path}/constructor`,
    path.replace(/^\/(.)/, (_, first: string) => `/%${first.charCodeAt(0).toString(16)}`),
    `http://evil.example${path}`,
    `${path}#fragment`,
  ];
  return { ...draft, path: choices.of(variants) };
};

const mutateHeaders: Mutation = (draft, choices) => {
  const kind = choices.below(5);
  if (kind <= 1) return { ...draft, headers: [...draft.headers, choices.of(FIELDS)] };
  const kept = draft.headers.filter(([name]) => name !== 'Authorization');
  if (kind === 2) return { ...draft, headers: [...kept, ['Authorization', choices.of(CREDENTIALS)]] };
  if (kind === 3) return { ...draft, headers: kept };
  const name = choices.of(['DPoP', 'Authorization', 'User-Agent', 'Cookie', 'Accept-Language', 'X-Fuzz']);
  return { ...draft, headers: [...draft.headers, [name, hostileFieldValue(choices)]] };
};

const mutateCookies: Mutation = (draft, choices) => {
  const { cookies } = draft;
  const index = choices.below(cookies.length);
  const [name, value] = cookies[index] ?? ['_session', 'x'];
  const kind = cookies.length === 0 ? 5 : choices.below(7);
  if (kind === 0) return { ...draft, cookies: without(cookies, index) };
  if (kind === 1) return { ...draft, cookies: replaceAt(cookies, index, [name, `${value.slice(0, -1)}_`]) };
  if (kind === 2)
    return { ...draft, cookies: replaceAt(cookies, index, [name, hostileFieldValue(choices).replaceAll(';', '')]) };
  if (kind === 3) return { ...draft, cookies: [...cookies, [name, 'second']] };
  if (kind === 4) return { ...draft, cookies: [] };
  if (kind === 5)
    return { ...draft, cookies: [...cookies, [choices.of(['__proto__', 'constructor', '', 'a b', '=']), 'x']] };
  return { ...draft, cookies: cookies.filter(([other]) => !other.endsWith('.sig')) };
};

/** Leaves HTTP behind: what is left must be refused or hung up on, and must not be taken for two requests. */
const malform: Mutation = (draft, choices) => {
  const broken = { ...draft, malformed: true };
  const injected = `x\r\n${INJECTED_FIELD}: 1`;
  const variants: readonly Draft[] = [
    { ...broken, method: draft.method.toLowerCase() },
    { ...broken, method: 'TONGBAN' },
    { ...broken, method: 'CONNECT' },
    { ...broken, path: `${draft.path} HTTP/1.1\r\n${INJECTED_FIELD}: 1\r\nX:` },
    { ...broken, path: `${draft.path} x y` },
    { ...broken, path: '' },
    { ...broken, path: '*' },
    { ...broken, path: `${draft.path}\u0000` },
    { ...broken, path: `${draft.path}/é` },
    { ...broken, headers: [...draft.headers, ['X-Fuzz', injected]] },
    { ...broken, headers: [...draft.headers, ['X-Fuzz', 'a\u0000b']] },
    { ...broken, headers: [...draft.headers, ['X Fuzz', 'x']] },
    { ...broken, headers: [...draft.headers, ['Content-Length', '5'], ['Transfer-Encoding', 'chunked']] },
    { ...broken, headers: [...draft.headers, ['Content-Length', '-1']] },
    { ...broken, headers: [...draft.headers, ['Transfer-Encoding', 'gzip, identity']] },
    { ...broken, headers: [...draft.headers, ['X-Fuzz', 'x'.repeat(40_000)]] },
    { ...broken, headers: [...draft.headers, ...Array.from({ length: 3000 }, (_, n): Pair => [`X-${n}`, 'x'])] },
  ];
  return choices.of(variants);
};

const MUTATIONS: readonly (readonly [weight: number, mutation: Mutation])[] = [
  [10, mutateParameters],
  [3, mutateHeaders],
  [3, mutateCookies],
  [2, mutatePath],
  [2, mutateMethod],
  [2, mutateBody],
  [0.4, malform],
];
const WEIGHT = MUTATIONS.reduce((total, [weight]) => total + weight, 0);

/** None to four changes, more often few than many: deep code is reached by requests that are almost right. */
export function mutate(draft: Draft, choices: Choices): Draft {
  let mutated = draft;
  for (let left = Math.floor(choices.unit() * choices.unit() * 5); left >= 0; left -= 1) {
    if (choices.chance(0.12)) continue;
    let point = choices.unit() * WEIGHT;
    const chosen = MUTATIONS.find(([weight]) => {
      point -= weight;
      return point < 0;
    });
    mutated = (chosen ?? MUTATIONS[0]!)[1](mutated, choices);
  }
  return mutated;
}
