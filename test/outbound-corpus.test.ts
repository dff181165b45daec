import { generateKeyPairSync, randomUUID } from 'node:crypto';
import type { LookupFunction } from 'node:net';
import test from 'ava';
import { SignJWT } from 'jose';
import { Provider } from 'oidc-provider';
import { createOutbound, OutboundFailure } from '../src/delivery/outbound.ts';
import { deliveries } from '../src/delivery/outbox.ts';
import { parseRelyingParty } from '../src/relying-parties/record.ts';
import { type CorpusRow, readCorpus, rowsOf } from './support/corpus.ts';
import { trap } from './support/listeners.ts';
import { ROOMY, tokensOf } from './support/portal-calls.ts';
import { authorizationPath, startServer, WANG } from './support/server.ts';
import { until } from './support/waiting.ts';

const CORPUS = readCorpus('outbound');
const REDIRECT_URI = 'https://portal.example/callback';
/** Refusals before a socket: a failed or timed-out connect would mean that one was tried. */
const UNTRIED = new Set(['malformed_address', 'https_required', 'special_address']);

/** What of a portal's record the server calls. */
const FIELDS = ['jwks_uri', 'sector_identifier_uri', 'backchannel_logout_uri'] as const;
type Field = (typeof FIELDS)[number];

const key = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** Every name leads to this machine, as it would in the hands of whoever owns the name. */
const hostileLookup: LookupFunction = (_hostname, _options, callback) =>
  callback(null, [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ]);

/** The whole corpus as addresses that lead to this port. */
const addresses = (port: number): readonly CorpusRow[] =>
  [
    ...rowsOf(CORPUS, 'host', 155).map(({ trick, text }) => ({ trick, text: `https://${text}:{port}/x` })),
    ...rowsOf(CORPUS, 'address', 45),
  ].map(({ trick, text }) => ({ trick, text: text.replaceAll('{port}', String(port)) }));

/** The protocol library with one portal for each field and address, past every rule of registration. */
function libraryWith(rows: readonly CorpusRow[], fetch: ReturnType<typeof createOutbound>) {
  const record = (field: Field, at: number, address: string) => ({
    client_id: `${field}-${at}`,
    redirect_uris: [REDIRECT_URI],
    subject_type: 'pairwise',
    [field]: address,
    ...(field === 'jwks_uri'
      ? { token_endpoint_auth_method: 'private_key_jwt' }
      : { client_secret: 'a-secret-of-the-test' }),
  });
  const provider = new Provider('https://id.example.cn', {
    clients: rows.flatMap(({ text }, at) => FIELDS.map((field) => record(field, at, text))) as never,
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    cookies: { keys: ['0123456789abcdef'] },
    jwks: { keys: [key.privateKey.export({ format: 'jwk' })] },
    subjectTypes: ['pairwise', 'public'],
    pairwiseIdentifier: async () => 'someone',
    sectorIdentifierUriValidate: () => true,
    features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true } },
    fetch,
  });
  return async (field: Field, at: number): Promise<void> => {
    const client = (await provider.Client.find(`${field}-${at}`)) as unknown as {
      asymmetricKeyStore: { refresh(): Promise<void> };
      backchannelLogout(sub: string, sid: string): Promise<void>;
    };
    if (field === 'jwks_uri') await client.asymmetricKeyStore.refresh();
    if (field === 'backchannel_logout_uri') await client.backchannelLogout('person', 'session');
  };
}

test('G2 P19 V16 V37 no address of the corpus is connected to, however it is written', async (t) => {
  const { seen, port } = await trap(t, '::');
  const outbound = createOutbound({ allowedOrigins: [], lookup: hostileLookup });
  const rows = addresses(port);
  t.true(rows.length >= 200);
  for (const { trick, text } of rows) {
    const message = `${trick}: ${JSON.stringify(text)}`;
    const failure = await t.throwsAsync(outbound(text), { instanceOf: OutboundFailure }, message);
    t.true(UNTRIED.has(failure?.reason ?? ''), `${message} ${failure?.reason}`);
  }
  t.is(seen.connections, 0);
});

test('G2 P19 V16 V37 nor by the protocol library, from any field of a portal that it calls', async (t) => {
  const { seen, port } = await trap(t, '::');
  const rows = addresses(port);
  const call = libraryWith(rows, createOutbound({ allowedOrigins: [], lookup: hostileLookup }));
  for (const [at, { trick, text }] of rows.entries())
    for (const field of FIELDS)
      await t.throwsAsync(call(field, at), undefined, `${field}, ${trick}: ${JSON.stringify(text)}`);
  t.is(seen.connections, 0);

  const listed = createOutbound({ allowedOrigins: [`https://127.0.0.1:${port}`] });
  const allowed = libraryWith([{ trick: '', text: `https://127.0.0.1:${port}/x` }], listed);
  for (const [before, field] of FIELDS.entries()) {
    await t.throwsAsync(allowed(field, 0));
    t.is(seen.connections, before + 1, `the trap sees a call of ${field}`);
  }
});

test('G2 P19 V16 V37 R11 what of the corpus can be registered at all is not connected to by the server', async (t) => {
  const { seen, port } = await trap(t, '::');
  const server = await startServer(t, {
    ...ROOMY,
    outbound: { allowedOrigins: [], timeoutMs: 2500 },
    outbox: { firstDelaySeconds: 1, pollIntervalMs: 50, attemptsMax: 1 },
  });
  await server.addPerson(WANG);
  const record = (field: Field, text: string) => ({
    client_name: 'portal',
    redirect_uris: [REDIRECT_URI],
    first_party: true,
    [field]: text,
    ...(field === 'jwks_uri' ? { token_endpoint_auth_method: 'private_key_jwt' } : {}),
  });
  // Names would be looked up for real, and nobody answers for them here.
  const rows = addresses(port).filter(({ text }) => /^https?:\/\/([\d.]+|\[[^\]]+\]|localhost)[:/]/.test(text));
  const browser = server.browser();
  const judged: Promise<unknown>[] = [];
  const asked = { jwks_uri: 0, sector_identifier_uri: 0, backchannel_logout_uri: 0 };
  for (const { trick, text } of rows)
    for (const field of FIELDS) {
      if (!parseRelyingParty(record(field, text)).ok) continue;
      const portal = await server.addPortal({ ...record(field, text), grant_types: ['authorization_code'] });
      asked[field] += 1;
      const message = `${field}, ${trick}: ${text}`;
      if (field === 'jwks_uri')
        judged.push(assertedRequest(server.issuer, portal.id).then(({ status }) => t.is(status, 401, message)));
      else if (field === 'backchannel_logout_uri') await tokensOf(server, portal, browser);
      else t.true((await server.browser().get(authorizationPath(portal))).status >= 400, message);
    }
  await Promise.all(judged);
  for (const field of FIELDS) t.true(asked[field] >= 60, `${field} ${asked[field]}`);

  await browser.get('/session/end');
  await browser.submit({ logout: 'yes' }, '/session/end/confirm');
  const undelivered = async () =>
    (await deliveries(server.house.database, { limit: 1000 })).filter(({ state }) => state === 'dead').length;
  t.true(await until(async () => (await undelivered()) === asked.backchannel_logout_uri, 30_000));
  t.is(seen.connections, 0);
});

/** A token request whose assertion can only be judged with the keys at the portal's `jwks_uri`. */
async function assertedRequest(issuer: string, clientId: string): Promise<Response> {
  const seconds = Math.floor(Date.now() / 1000);
  const assertion = await new SignJWT({ iss: clientId, sub: clientId, aud: issuer, jti: randomUUID(), iat: seconds })
    .setExpirationTime(seconds + 60)
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .sign(key.privateKey);
  return fetch(`${issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: 'x',
      redirect_uri: REDIRECT_URI,
      client_id: clientId,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    }),
  });
}
