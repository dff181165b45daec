import { createHash, generateKeyPairSync } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { parseArgs } from 'node:util';
import argon2 from 'argon2';
import Provider, { type ClientMetadata, type Configuration, type KoaContextWithOIDC } from 'oidc-provider';
import { randomToken } from '../src/shared/random.ts';
import { MapAdapter } from './map-adapter.ts';

/*
 * The peer every figure is held against: the protocol library as it comes, with a Map for a store, an interaction that
 * approves whatever it is asked, and the features the product switches on. It asks for a password and for consent on
 * pages of their own, so that a sign-in is the same chain of requests on both sides; it has no limits, no ledger, no
 * form tokens and no security headers. Run by the benchmark and by the fuzzer as a process of its own:
 *
 *   node bench/bare-provider.ts --port 4100 --client client.json --hash-memory-kib 19456 --hash-iterations 2
 */

const BODY_BYTES_MAX = 56 * 1024;
const PASSWORD = 'correct-horse-battery';

const { values: options } = parseArgs({
  options: {
    port: { type: 'string' },
    client: { type: 'string' },
    'hash-memory-kib': { type: 'string', default: '19456' },
    'hash-iterations': { type: 'string', default: '2' },
  },
});

const issuer = `http://127.0.0.1:${options.port}`;
const cost = { memoryCost: Number(options['hash-memory-kib']), timeCost: Number(options['hash-iterations']) };
const passwordHash = await argon2.hash(PASSWORD, { type: argon2.argon2id, parallelism: 1, ...cost });
const signingKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });

const configuration: Configuration = {
  adapter: () => new MapAdapter(),
  clients: [JSON.parse(options.client ?? '{}') as ClientMetadata],
  jwks: { keys: [{ ...signingKey, use: 'sig', alg: 'ES256', kid: 'bare' }] },
  clientDefaults: { id_token_signed_response_alg: 'ES256', introspection_signed_response_alg: 'ES256' },
  cookies: {
    keys: [randomToken(43)],
    long: { signed: true, httpOnly: true, sameSite: 'lax' },
    short: { signed: true, httpOnly: true, sameSite: 'lax' },
  },
  claims: { openid: ['sub', 'acr', 'amr', 'auth_time'], profile: ['name'] },
  scopes: ['openid', 'profile', 'offline_access'],
  responseTypes: ['code'],
  pkce: { required: () => true },
  rotateRefreshToken: () => true,
  subjectTypes: ['pairwise', 'public'],
  pairwiseIdentifier: (_ctx, accountId, client) =>
    createHash('sha256').update(String(client.sectorIdentifier)).update(accountId).update('salt').digest('hex'),
  findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub, name: 'Bench Person' }) }),
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  ttl: {
    AccessToken: 3600,
    AuthorizationCode: 60,
    ClientCredentials: 600,
    Grant: 1_209_600,
    IdToken: 3600,
    Interaction: 3600,
    RefreshToken: 1_209_600,
    Session: 1_209_600,
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    jwtIntrospection: { enabled: true },
    jwtUserinfo: { enabled: true },
    resourceIndicators: { enabled: false },
    revocation: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
    backchannelLogout: { enabled: true },
    claimsParameter: { enabled: true },
  },
};

const provider = new Provider(issuer, configuration);
provider.use(async (ctx, next) => {
  const uid = /^\/interaction\/([\w-]+)$/.exec(ctx.path)?.[1];
  if (uid === undefined) return next();
  if (ctx.method === 'POST') return advance(ctx as KoaContextWithOIDC);
  return showPage(ctx as KoaContextWithOIDC);
});

async function showPage(ctx: KoaContextWithOIDC): Promise<void> {
  const { uid, prompt, params } = await provider.interactionDetails(ctx.req, ctx.res);
  const controls =
    prompt.name === 'login'
      ? '<label>ID <input name="identifier"></label><label>Password <input name="password" type="password"></label><button>Sign in</button>'
      : `<p>${String(params.client_id)}</p><button name="decision" value="allow">Allow</button>`;
  ctx.type = 'html';
  ctx.body = `<!doctype html><title>Bare</title><form method="post" action="/interaction/${uid}">${controls}</form>`;
}

async function advance(ctx: KoaContextWithOIDC): Promise<void> {
  const [{ prompt, params, session }, form] = await Promise.all([
    provider.interactionDetails(ctx.req, ctx.res),
    readForm(ctx.req),
  ]);
  ctx.status = 303;
  if (prompt.name === 'login') {
    if (!(await argon2.verify(passwordHash, form.get('password') ?? ''))) ctx.throw(401, 'wrong password');
    const login = { accountId: form.get('identifier') ?? 'nobody', amr: ['pwd'] };
    ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, { login }));
    return;
  }
  const grant = new provider.Grant({ accountId: session?.accountId, clientId: String(params.client_id) });
  grant.addOIDCScope(String(params.scope));
  const result = { consent: { grantId: await grant.save() } };
  ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result, { mergeWithLastSubmission: true }));
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > BODY_BYTES_MAX) throw new Error('body too large');
    chunks.push(chunk as Buffer);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}

createServer(provider.callback()).listen(Number(options.port), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
