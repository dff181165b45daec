import test from 'ava';
import { turnClock } from '../src/shared/clock.ts';
import { DOCUMENT_AGE_SECONDS } from '../src/web/front.ts';
import { ROOMY, tokensOf } from './support/portal-calls.ts';
import { startServer, WANG } from './support/server.ts';
import { type KeySet, verified } from './support/sm2-portal.ts';
import { until } from './support/waiting.ts';

const ALG = 'SGD_SM3_SM2';
const BYE = 'https://portal.example/bye';

test.serial(
  'B6 an SM2 key is replaced by the one that was published before it, and what it signed stays good',
  async (t) => {
    t.timeout(90_000);
    t.teardown(() => turnClock(0));
    const server = await startServer(t, ROOMY);
    await server.addPerson(WANG);
    const portal = await server.addPortal({ id_token_signed_response_alg: ALG, post_logout_redirect_uris: [BYE] });
    const keysOf = async (): Promise<KeySet> =>
      ((await (await fetch(`${server.issuer}/jwks`)).json()) as { keys: KeySet }).keys;
    const browser = server.browser();
    const before = String((await tokensOf(server, portal, browser)).id_token);
    const cached = await keysOf();
    const waiting = cached.filter(({ alg }) => alg === ALG)[1]?.kid;

    t.false((await server.house.keyring.rotate(ALG)).ok, 'portals may not know the next key yet');
    turnClock(DOCUMENT_AGE_SECONDS * 1000);
    t.deepEqual(await server.house.keyring.rotate(ALG), { ok: true, kid: waiting! });
    t.true(await until(async () => (await keysOf()).filter(({ alg }) => alg === ALG).length === 3, 30_000));

    const after = await tokensOf(server, portal, browser);
    t.is(verified(after.id_token, cached).header.kid, waiting, 'a portal with an old key set verifies the new token');
    t.not(verified(before, await keysOf()).header.kid, waiting, 'the old token verifies with the new key set');
    const query = new URLSearchParams({ id_token_hint: before, post_logout_redirect_uri: BYE });
    t.is((await browser.get(`/session/end?${query}`)).status, 200, 'and is still a hint');
  },
);
