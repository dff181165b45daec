import test from 'ava';
import { postAs } from './support/portal-calls.ts';
import { authorizationPath, CHALLENGE, REDIRECT_URI, startServer, WANG } from './support/server.ts';

/** A number in the clear, in Base64 at any of its three offsets, or inside a JWT. */
function isReadable(text: string, number: string): boolean {
  const ways = [0, 1, 2].map((offset) => {
    const encoded = Buffer.from(`${'x'.repeat(offset)}${number}`).toString('base64url');
    return encoded.slice(offset === 0 ? 0 : offset + 1, -3);
  });
  return [number, ...ways].some((way) => text.includes(way));
}

test('H5 the number a portal names as login_hint waits sealed, and still stands in the form', async (t) => {
  const server = await startServer(t);
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  const stored = async (): Promise<string> => {
    const rows = await server.house.database.all<{ payload: string }>('SELECT payload FROM artifacts', []);
    return rows.map(({ payload }) => payload).join('\n');
  };

  const browser = server.browser();
  await browser.get(authorizationPath(portal, { login_hint: WANG.idNumber }));
  await browser.follow();
  t.true(browser.page.text.includes(`value="${WANG.idNumber}"`), 'the citizen need not type it');
  t.true((await stored()).includes('sealed:'));
  t.false(isReadable(await stored(), WANG.idNumber));

  const pushed = await postAs(server, portal, '/request', {
    response_type: 'code',
    client_id: portal.id,
    redirect_uri: REDIRECT_URI,
    scope: 'openid',
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
    login_hint: WANG.idNumber,
  });
  t.is(pushed.status, 201);
  t.false(isReadable(await stored(), WANG.idNumber), 'nor in a request that was pushed');
  const { request_uri: requestUri } = (await pushed.json()) as { request_uri: string };
  const other = server.browser();
  await other.get(`/auth?${new URLSearchParams({ client_id: portal.id, request_uri: requestUri })}`);
  await other.follow();
  t.true(other.page.text.includes(`value="${WANG.idNumber}"`));
  t.false(isReadable(await stored(), WANG.idNumber));

  t.true(
    isReadable(Buffer.from(`{"login_hint":"${WANG.idNumber}"}`).toString('base64url'), WANG.idNumber),
    'the search finds it',
  );
});
