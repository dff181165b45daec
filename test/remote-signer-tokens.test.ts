import test from 'ava';
import { turnClock } from '../src/shared/clock.ts';
import { DOCUMENT_AGE_SECONDS } from '../src/web/front.ts';
import { ROOMY, refresh, tokensOf } from './support/portal-calls.ts';
import { freePort, redemption, startServer, WANG } from './support/server.ts';
import { serverProcess, tlsServer } from './support/signature-server.ts';
import { type KeySet, verified } from './support/sm2-portal.ts';
import { until } from './support/waiting.ts';

const ALG = 'SGD_SM3_SM2';

test.serial(
  'X3 X12 tokens are signed by a signature server; while it is away nothing is half signed, and the same code counts when it is back',
  async (t) => {
    t.timeout(120_000);
    const svs = serverProcess(t, await freePort());
    await svs.start();
    const privatePort = await freePort();
    const server = await startServer(t, {
      ...ROOMY,
      signer: { sm2: 'server', server: { ...svs.settings, circuitFailuresMax: 3 } },
      monitoring: { port: privatePort },
    });
    const readiness = async () =>
      (await (await fetch(`http://127.0.0.1:${privatePort}/readyz`)).json()) as {
        readonly status: string;
        readonly checks: Readonly<Record<string, { readonly state: string; readonly detail: string }>>;
      };
    await server.addPerson(WANG);
    const scope = 'openid profile offline_access';
    const sm2 = await server.addPortal({ id_token_signed_response_alg: ALG });
    const es256 = await server.addPortal();
    const keys = ((await (await fetch(`${server.issuer}/jwks`)).json()) as { keys: KeySet }).keys;
    const held = (await server.house.keyring.jwks()).privateKeys.filter(({ alg }) => alg === ALG);
    t.is(held.length, 2);
    t.true(
      held.every((jwk) => !('d' in jwk)),
      'no private number ever came here',
    );

    const browser = server.browser();
    const first = await tokensOf(server, sm2, browser, { scope, prompt: 'consent' });
    t.is(verified(first.id_token, keys).header.kid, held[0]?.kid);
    t.is((await readiness()).checks.signer?.state, 'ok');

    const callback = await server.signIn(browser, sm2);
    await svs.kill();
    const refused = await server.token(sm2, redemption(callback));
    t.is(refused.status, 503);
    t.is(refused.body.error, 'temporarily_unavailable');
    t.true(Number(refused.headers.get('retry-after')) > 0);
    t.is((await refresh(server, sm2, first.refresh_token)).status, 503);
    t.truthy((await tokensOf(server, es256, browser)).id_token, 'portals with other tokens notice nothing');
    t.true(await until(async () => (await readiness()).checks.signer?.state === 'warn'));
    t.is((await readiness()).status, 'degraded');
    t.is((await fetch(`${server.issuer}/health/ready`)).status, 200, 'and the node still serves');

    await svs.start();
    t.true(await until(async () => (await readiness()).checks.signer?.state === 'ok', 30_000));
    const late = await server.token(sm2, redemption(callback));
    t.is(late.status, 200, JSON.stringify(late.body));
    verified(late.body.id_token, keys);
    const renewed = await refresh(server, sm2, first.refresh_token);
    t.is(renewed.status, 200, 'the refresh token was not used up either');
    t.is((await server.token(sm2, redemption(callback))).body.error, 'invalid_grant', 'and each still counts once');
  },
);

test.serial(
  'B6 a key of the signature server is replaced like any other, and a refused rotation takes none',
  async (t) => {
    t.timeout(60_000);
    t.teardown(() => turnClock(0));
    // Proven by certificates: a shared key would have the clocks of both sides agree, and ours is turned.
    const svs = await tlsServer(t);
    const server = await startServer(t, { signer: { sm2: 'server', server: svs.settings } });
    const { keyring } = server.house;
    const kids = async () => (await keyring.jwks()).privateKeys.filter(({ alg }) => alg === ALG).map(({ kid }) => kid);
    const before = await kids();
    t.false((await keyring.rotate(ALG)).ok);
    turnClock(DOCUMENT_AGE_SECONDS * 1000);
    t.deepEqual(await keyring.rotate(ALG), { ok: true, kid: before[1]! });
    const after = await kids();
    t.is(after.length, 3);
    const taken = svs.running.asked.filter(({ path }) => path === '/keys');
    t.is(taken.length, 3, 'two at the start and one by the rotation');
  },
);
