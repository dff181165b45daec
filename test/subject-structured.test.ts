import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { exportJWK, generateKeyPair } from 'jose';
import Provider, { type Adapter, type AdapterPayload, type Configuration, interactionPolicy } from 'oidc-provider';
import { markGrant } from '../src/oidc/grant-mark.ts';
import { claimsOfApiToken, createStandings } from '../src/oidc/standing.ts';
import { BRIDGES, ListedActing, mandateOf } from './support/acting.ts';
import { createBrowser } from './support/http-client.ts';
import { payloadOf, ROOMY, tokensOf } from './support/portal-calls.ts';
import { CHALLENGE, REDIRECT_URI, startServer, VERIFIER, WANG } from './support/server.ts';

const RESOURCE = 'https://filing.example';
const SECRET = 'a-secret-of-this-test-only';
const CLIENT = 'filing-portal';

class MemoryAdapter implements Adapter {
  static readonly #kept = new Map<string, AdapterPayload>();
  readonly #model: string;
  constructor(model: string) {
    this.#model = model;
  }
  async upsert(id: string, payload: AdapterPayload): Promise<void> {
    MemoryAdapter.#kept.set(`${this.#model}:${id}`, payload);
    if (payload.uid !== undefined) MemoryAdapter.#kept.set(`uid:${payload.uid}`, payload);
  }
  async find(id: string): Promise<AdapterPayload | undefined> {
    return MemoryAdapter.#kept.get(`${this.#model}:${id}`);
  }
  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return MemoryAdapter.#kept.get(`uid:${uid}`);
  }
  async findByUserCode(): Promise<undefined> {}
  async consume(id: string): Promise<void> {
    Object.assign(MemoryAdapter.#kept.get(`${this.#model}:${id}`) ?? {}, { consumed: 1 });
  }
  async destroy(id: string): Promise<void> {
    MemoryAdapter.#kept.delete(`${this.#model}:${id}`);
  }
  async revokeByGrantId(): Promise<void> {}
}

/** The library with resources whose tokens are JWTs, which our server does not offer yet, and our function in its place. */
async function libraryWithResources(t: ExecutionContext, acting: ListedActing, actingAs: string): Promise<string> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await exportJWK(privateKey)), kid: 'k', alg: 'ES256', use: 'sig' };
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const standings = createStandings({ acting, pairwiseSub: (id, sector) => `${id}@${sector}` });
  const configuration: Configuration = {
    adapter: MemoryAdapter,
    clients: [
      {
        client_id: CLIENT,
        client_secret: SECRET,
        redirect_uris: [REDIRECT_URI],
        subject_type: 'pairwise',
        id_token_signed_response_alg: 'ES256',
        accepts_subjects: ['natural', 'legal'],
      },
    ],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    cookies: { keys: ['a-cookie-key-of-this-test'] },
    extraClientMetadata: { properties: ['accepts_subjects'] },
    extraTokenClaims: (ctx, token) => claimsOfApiToken(standings, ctx, token),
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({ scope: 'file', audience: RESOURCE, accessTokenFormat: 'jwt' }),
      },
    },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: async () => ({ sub }) }),
    interactions: { policy: interactionPolicy.base(), url: (_ctx, { uid }) => `/approve/${uid}` },
    jwks: { keys: [jwk] } as NonNullable<Configuration['jwks']>,
    pairwiseIdentifier: (_ctx, id) => `${id}@${CLIENT}`,
    subjectTypes: ['pairwise'],
  };
  const provider = new Provider(issuer, configuration);
  const answer = provider.callback();
  server.on('request', async (request, response) => {
    if (!request.url?.startsWith('/approve/')) return answer(request, response);
    const grant = new provider.Grant({ accountId: 'psn_wang', clientId: CLIENT });
    grant.addOIDCScope('openid');
    grant.addResourceScope(RESOURCE, 'file');
    markGrant(grant, { actingAs, origin: 'page' });
    const result = { login: { accountId: 'psn_wang' }, consent: { grantId: await grant.save() } };
    await provider.interactionFinished(request, response, result);
  });
  return issuer;
}

async function accessToken(issuer: string): Promise<unknown> {
  const browser = createBrowser(issuer);
  const query = { client_id: CLIENT, redirect_uri: REDIRECT_URI, response_type: 'code', resource: RESOURCE };
  const pkce = { code_challenge: CHALLENGE, code_challenge_method: 'S256' };
  await browser.get(`/auth?${new URLSearchParams({ ...query, ...pkce, scope: 'openid file' })}`);
  await browser.follow(REDIRECT_URI);
  const code = new URL(browser.page.location ?? '').searchParams.get('code') ?? '';
  const answer = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${CLIENT}:${SECRET}`)}` },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: REDIRECT_URI,
      code_verifier: VERIFIER,
    }),
  });
  return ((await answer.json()) as { access_token?: string }).access_token;
}

// The library says aloud what it thinks of a test's configuration; the console belongs to the whole process.
test.serial('F3 an access token that is a JWT says for whom by itself, and says nothing for oneself', async (t) => {
  const { info, warn } = console;
  Object.assign(console, { info: () => {}, warn: () => {} });
  t.teardown(() => Object.assign(console, { info, warn }));
  const acting = new ListedActing();
  const ref = acting.add('psn_wang', BRIDGES, { mandate: mandateOf('mdt_b') });
  const company = payloadOf(await accessToken(await libraryWithResources(t, acting, ref)));
  t.like(company, {
    aud: RESOURCE,
    sub: `psn_wang@${CLIENT}`,
    act: { sub: `psn_wang@${CLIENT}` },
    legal_person: { uscc: BRIDGES.uscc, role: 'agent', id: `${BRIDGES.legalPersonId}@${CLIENT}` },
  });
  const own = payloadOf(await accessToken(await libraryWithResources(t, acting, 'self')));
  t.is(own.aud, RESOURCE);
  t.is(own.legal_person, undefined);
  t.is(own.act, undefined);
});

test.serial('H5 what is stored with an opaque token does not name the company', async (t) => {
  const acting = new ListedActing();
  const server = await startServer(t, ROOMY, { acting });
  acting.add(await server.addPerson(WANG), BRIDGES);
  const portal = await server.addPortal({ accepts_subjects: ['legal'] });
  await tokensOf(server, portal, server.browser());
  const rows = await server.house.database.all('SELECT * FROM artifacts', []);
  t.true(rows.length > 1);
  for (const text of [BRIDGES.uscc, BRIDGES.name, BRIDGES.legalPersonId]) {
    t.false(JSON.stringify(rows).includes(text), text);
  }
});
