import { readFile } from 'node:fs/promises';
import test from 'ava';
import { Provider } from 'oidc-provider';
import { prepareConfig } from '../src/config/prepare.ts';
import { features } from '../src/oidc/features.ts';
import { createRequestObjects } from '../src/oidc/request-objects.ts';
import { ROOMY, tokensOf } from './support/portal-calls.ts';
import { startServer, WANG } from './support/server.ts';

const LIBRARY = new URL('../node_modules/oidc-provider/', import.meta.url);

function ours(): Readonly<Record<string, unknown>> {
  const prepared = prepareConfig({ env: { TONGBAN_PROFILE: 'test' }, overrides: { port: 3000 } });
  if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
  const page = async () => undefined;
  const hooks = {
    actingClaimsOf: page,
    apiFor: () => Promise.reject(new Error('no API is asked for')),
    dPoPNonceSecret: Buffer.alloc(32),
    requestObjects: createRequestObjects(),
    logoutPage: page,
    loggedOutPage: page,
  };
  return features(prepared.config, hooks) as Readonly<Record<string, unknown>>;
}

test('H1 R13 every feature of the protocol library is decided on by name, and none is named that it does not have', async (t) => {
  const source = await readFile(new URL('lib/helpers/features.js', LIBRARY), 'utf8');
  const known = [
    ...[...source.matchAll(/^ {2}'(\w+)',$/gm)].map(([, name]) => name),
    ...[...source.matchAll(/^ {2}(\w+): \{$/gm)].map(([, name]) => name),
  ];
  t.true(known.length > 25, 'the list was found');
  t.deepEqual(Object.keys(ours()).sort(), known.sort());
  for (const name of Object.keys(ours())) {
    t.is(typeof (ours()[name] as { enabled?: unknown }).enabled, 'boolean', name);
  }
});

test('H1 the library refuses a feature it does not know, so that a misspelt one cannot pass', (t) => {
  t.throws(
    () =>
      new Provider('http://localhost:3000', { features: { ...ours(), devInteraction: { enabled: false } } as object }),
    {
      message: /devInteraction/,
    },
  );
});

test('H1 R13 what must be off is off', (t) => {
  for (const name of ['devInteractions', 'deviceFlow', 'registration', 'encryption', 'ciba', 'openid4vci']) {
    t.deepEqual(ours()[name], { enabled: false }, name);
  }
});

test('H1 every lifetime and every option the provider is given has a name the library knows', async (t) => {
  const defaults = await readFile(new URL('lib/helpers/defaults.js', LIBRARY), 'utf8');
  const source = await readFile(new URL('../src/oidc/provider.ts', import.meta.url), 'utf8');
  const lifetimes = /function lifetimes[\s\S]*?return \{([\s\S]*?)\n {2}\};/.exec(source)?.[1] ?? '';
  const names = [...lifetimes.matchAll(/^ {4}([A-Z]\w+):/gm)].map(([, name]) => name);
  t.true(names.length >= 8);
  for (const name of names) t.true(defaults.includes(`${name}: ${name}TTL`), name);
  const options = /const configuration: Configuration = \{([\s\S]*?)\n {2}\};/.exec(source)?.[1] ?? '';
  const keys = [...options.matchAll(/^ {4}(\w+)[:,]/gm)].map(([, name]) => name);
  t.true(keys.length > 25);
  for (const key of keys) t.regex(defaults, new RegExp(`^ {4}${key}(:|,)`, 'm'), key);
});

// The only test here that watches the console, which the whole process shares.
test.serial('R13 the library has nothing to remark on our configuration, neither at start nor at work', async (t) => {
  const lines: string[] = [];
  const saved = { info: console.info, warn: console.warn, log: console.log, error: console.error };
  const keep = (...words: unknown[]) => void lines.push(words.join(' '));
  Object.assign(console, { info: keep, warn: keep, log: keep, error: keep });
  t.teardown(() => Object.assign(console, saved));
  const server = await startServer(t, ROOMY);
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  const browser = server.browser();
  const body = await tokensOf(server, portal, browser, { scope: 'openid offline_access', prompt: 'consent' });
  const authorization = `Basic ${btoa(`${portal.id}:${portal.secret}`)}`;
  for (const path of ['/token/introspection', '/token/revocation', '/request']) {
    await fetch(server.issuer + path, {
      method: 'POST',
      headers: { authorization },
      body: new URLSearchParams({ token: String(body.access_token) }),
    });
  }
  await browser.get('/session/end');
  await browser.submit({ logout: 'yes' }, '/session/end/confirm');
  await browser.follow();
  await browser.get('/auth');
  t.deepEqual(lines, []);
});
