import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test, { type ExecutionContext } from 'ava';
import pg from 'pg';
import type { ConfigOverrides } from '../src/config/schema.ts';
import { postgresStore, postgresTest } from './support/databases.ts';
import { introspect, OFFLINE, pause, refresh, revoke, tokensOf } from './support/portal-calls.ts';
import {
  authorizationPath,
  CHALLENGE,
  REDIRECT_URI,
  redemption,
  startServer,
  type TestServer,
  VERIFIER,
  WANG,
} from './support/server.ts';

const times = <T>(count: number, work: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, work));

test('A2 R1 R2 a code redeemed twenty times at once buys tokens once, and the replay kills them', async (t) => {
  const server = await startServer(t);
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  for (let round = 0; round < 3; round += 1) {
    const callback = await server.signIn(server.browser(), portal);
    const answers = await times(20, () => server.token(portal, redemption(callback)));
    const winners = answers.filter(({ status }) => status === 200);
    t.is(winners.length, 1);
    t.true(answers.every(({ status, body }) => status === 200 || (status === 400 && body.error === 'invalid_grant')));
    const userinfo = await fetch(`${server.issuer}/me`, {
      headers: { authorization: `Bearer ${String(winners[0]?.body.access_token)}` },
    });
    t.is(userinfo.status, 401, 'the tokens of the winner died with the replay');
  }
  t.true((await server.events('code.replayed')).length >= 3);
});

test('A2 a code presented again later ends the tokens of the first redemption', async (t) => {
  const server = await startServer(t);
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  const callback = await server.signIn(server.browser(), portal);
  const first = await server.token(portal, redemption(callback));
  t.is(first.status, 200);
  t.is((await server.token(portal, redemption(callback))).status, 400);
  const introspection = await fetch(`${server.issuer}/token/introspection`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${portal.id}:${portal.secret}`)}` },
    body: new URLSearchParams({ token: String(first.body.access_token) }),
  });
  t.deepEqual(await introspection.json(), { active: false });
});

test('A8 V2 a refresh repeated at once or within ten seconds gives the same successor; later reuse ends the family', async (t) => {
  const server = await startServer(t);
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  const callback = await server.signIn(server.browser(), portal, {
    query: { scope: 'openid offline_access', prompt: 'consent' },
  });
  const { body } = await server.token(portal, redemption(callback));
  const refresh = (token: unknown) =>
    server.token(portal, { grant_type: 'refresh_token', refresh_token: String(token) });
  const answers = await times(10, () => refresh(body.refresh_token));
  t.true(answers.every(({ status }) => status === 200));
  t.is(new Set(answers.map((answer) => answer.body.refresh_token)).size, 1, 'one successor for all');
  const late = (await refresh(body.refresh_token)).body;
  t.is(late.refresh_token, answers[0]?.body.refresh_token, 'and for the late one');
  t.is(late.access_token, answers[0]?.body.access_token);

  const successor = answers[0]?.body.refresh_token;
  letTimePass(server, 11);
  t.is((await refresh(body.refresh_token)).status, 400, 'the spent token is spent for good');
  t.is((await refresh(successor)).status, 400, 'and its family has ended');
  t.is((await server.events('refresh.reused')).length, 1);
});

/** Makes what is spent look as if it had been spent so many seconds earlier. */
function letTimePass(server: TestServer, seconds: number): void {
  const node = new DatabaseSync(join(server.dataDir, 'tongban.db'), { timeout: 5_000 });
  node.prepare('UPDATE artifacts SET consumed_at = consumed_at - ? WHERE consumed_at IS NOT NULL').run(seconds);
  node.close();
}

/** Another node in the middle of a revocation: the rows are deleted, the transaction is still open. */
interface OpenRevocation {
  /** Resolves once somebody else has read what is deleted and waits to write it. */
  isWaitedFor(): Promise<unknown>;
  commit(): Promise<unknown>;
}

/** A server under load takes its time to a look-up and to its COMMIT. */
const READ_MS = 1_500;

const REVOKE_ALL = "DELETE FROM artifacts WHERE model = 'RefreshToken'";

async function revokingOnSqlite(t: ExecutionContext, server: TestServer): Promise<OpenRevocation> {
  const node = new DatabaseSync(join(server.dataDir, 'tongban.db'), { timeout: 5_000 });
  t.teardown(() => node.close());
  node.exec(`BEGIN IMMEDIATE; ${REVOKE_ALL}`);
  return { isWaitedFor: () => pause(READ_MS), commit: async () => node.exec('COMMIT') };
}

async function revokingOnPostgres(t: ExecutionContext, url: string): Promise<OpenRevocation> {
  const node = new pg.Client({ connectionString: url });
  await node.connect();
  t.teardown(() => node.end());
  await node.query(`BEGIN; ${REVOKE_ALL}`);
  const waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
  return {
    async isWaitedFor() {
      while ((await node.query(waiting)).rowCount === 0) await pause(20);
    },
    commit: () => node.query('COMMIT'),
  };
}

const KEEP_BOOK = {
  sqlite: ['CREATE TRIGGER book_put AFTER INSERT ON artifacts BEGIN INSERT INTO book VALUES (NEW.model); END'],
  postgres: [
    `CREATE FUNCTION book_put() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN INSERT INTO book VALUES (NEW.model); RETURN NEW; END $$`,
    'CREATE TRIGGER book_put AFTER INSERT ON artifacts FOR EACH ROW EXECUTE FUNCTION book_put()',
  ],
} as const;

/** Has the store itself note every artifact that is ever committed from now on, also one that is deleted again at once. */
async function committedPuts({ house: { database } }: TestServer): Promise<() => Promise<readonly string[]>> {
  for (const statement of ['CREATE TABLE book (model TEXT NOT NULL)', ...KEEP_BOOK[database.engine]])
    await database.write((tx) => tx.run(statement, []));
  return async () => (await database.all<{ model: string }>('SELECT model FROM book', [])).map(({ model }) => model);
}

async function refreshThatLosesToRevocation(
  t: ExecutionContext,
  config: ConfigOverrides,
  begin: (server: TestServer) => Promise<OpenRevocation>,
): Promise<void> {
  const server = await startServer(undefined, config);
  t.teardown(() => server.stop());
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  const control = await tokensOf(server, portal, server.browser(), OFFLINE);
  const tokens = await tokensOf(server, portal, server.browser(), OFFLINE);
  const puts = await committedPuts(server);
  t.is((await refresh(server, portal, control.refresh_token)).status, 200);
  t.deepEqual([...(await puts())].sort(), ['AccessToken', 'RefreshToken'], 'an answer that leaves is in the book');
  const issued = (await server.events('token.issued')).length;

  const revocation = await begin(server);
  const answering = refresh(server, portal, tokens.refresh_token);
  t.is(
    await Promise.race([answering, revocation.isWaitedFor().then(() => undefined)]),
    undefined,
    'it has read the token and waits to commit',
  );
  await revocation.commit();
  const answer = await answering;
  t.is(answer.status, 400);
  t.is(answer.body.error, 'invalid_grant');
  t.false('access_token' in answer.body || 'refresh_token' in answer.body || 'id_token' in answer.body);
  t.is((await puts()).length, 2, 'nothing of its answer was ever stored');
  t.is((await server.events('token.issued')).length, issued);
  t.deepEqual(
    await introspect(server, portal, tokens.access_token),
    { active: false },
    'the commit refused it and ended the grant; a look-up that finds nothing would have left the grant alone',
  );
}

test('A8 L8 R1 a refresh whose token is revoked between its look-up and its commit is refused and leaves nothing', (t) =>
  refreshThatLosesToRevocation(t, {}, (server) => revokingOnSqlite(t, server)));

postgresTest(
  'A8 L8 R1 on PostgreSQL too a refresh that loses to a revocation is refused and leaves nothing',
  async (t) => {
    const url = await postgresStore(t);
    await refreshThatLosesToRevocation(t, { database: { url } }, () => revokingOnPostgres(t, url));
  },
);

test('A8 R1 whichever of a refresh and a revocation comes first, nothing that was handed out works afterwards', async (t) => {
  const server = await startServer(t);
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  const statuses = new Set<number>();
  for (let round = 0; round < 12; round += 1) {
    const tokens = await tokensOf(server, portal, server.browser(), OFFLINE);
    const [refreshed, revoked] = await Promise.all([
      refresh(server, portal, tokens.refresh_token),
      pause(round).then(() => revoke(server, portal, tokens.refresh_token)),
    ]);
    statuses.add(refreshed.status);
    t.is(revoked.status, 200);
    t.true(refreshed.status === 200 || refreshed.body.error === 'invalid_grant', JSON.stringify(refreshed.body));
    for (const token of [tokens.access_token, refreshed.body.access_token, refreshed.body.refresh_token])
      t.deepEqual(await introspect(server, portal, token ?? 'none'), { active: false });
    t.is((await refresh(server, portal, refreshed.body.refresh_token ?? tokens.refresh_token)).status, 400);
  }
  t.true(statuses.has(200), 'the refresh came first at least once');
});

test('A8 R1 V2 requests for one refresh token that share a commit all get its successor, and nobody is taken for a thief', async (t) => {
  const server = await startServer(t);
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  // A server that has warmed up is fast enough to have all of them in one commit.
  for (let round = 0; round < 5; round += 1) {
    const first = await tokensOf(server, portal, server.browser(), OFFLINE);
    const answers = await times(10, () => refresh(server, portal, first.refresh_token));
    t.deepEqual([...new Set(answers.map(({ status }) => status))], [200], `round ${round}`);
    t.is(new Set(answers.map(({ body }) => body.refresh_token)).size, 1);
    t.is((await refresh(server, portal, answers[0]?.body.refresh_token)).status, 200);
  }
  t.deepEqual(await server.events('token.revoked'), []);
});

test('A8 another portal gets nothing for a spent refresh token', async (t) => {
  const server = await startServer(t);
  await server.addPerson(WANG);
  const [portal, thief] = [await server.addPortal(), await server.addPortal()];
  const callback = await server.signIn(server.browser(), portal, {
    query: { scope: 'openid offline_access', prompt: 'consent' },
  });
  const { body } = await server.token(portal, redemption(callback));
  const fields = { grant_type: 'refresh_token', refresh_token: String(body.refresh_token) };
  t.is((await server.token(portal, fields)).status, 200);
  t.is((await server.token(thief, fields)).status, 400);
});

test('A15 a pushed request authorizes once, also ten times at once', async (t) => {
  const server = await startServer(t);
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  const browser = server.browser();
  await server.signIn(browser, portal);
  const pushed = await fetch(`${server.issuer}/request`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${portal.id}:${portal.secret}`)}` },
    body: new URLSearchParams({
      client_id: portal.id,
      redirect_uri: REDIRECT_URI,
      response_type: 'code',
      scope: 'openid profile',
      code_challenge: CHALLENGE,
      code_challenge_method: 'S256',
    }),
  });
  t.is(pushed.status, 201, await pushed.clone().text());
  const { request_uri: requestUri } = (await pushed.json()) as { request_uri: string };
  const cookie = browser
    .cookies()
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ');
  const path = `/auth?${new URLSearchParams({ client_id: portal.id, request_uri: requestUri })}`;
  const answers = await times(10, () =>
    fetch(server.issuer + path, { redirect: 'manual', headers: { cookie, accept: 'application/json' } }),
  );
  const codes = answers.filter((answer) => answer.headers.get('location')?.includes('code='));
  t.is(codes.length, 1);
  t.true(answers.every(({ status }) => status === 303 || status === 400));
});

test('V1 a code of one portal is worth nothing to another', async (t) => {
  const server = await startServer(t);
  await server.addPerson(WANG);
  const [portal, other] = [await server.addPortal(), await server.addPortal()];
  const callback = await server.signIn(server.browser(), portal);
  t.is((await server.token(other, redemption(callback))).status, 400);
});

test('A4 A5 a code is bound to its redirect URI and its verifier', async (t) => {
  const server = await startServer(t);
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  const changes: Record<string, string>[] = [
    { redirect_uri: `${REDIRECT_URI}/` },
    { code_verifier: 'w'.repeat(43) },
    { code_verifier: '' },
  ];
  for (const change of changes) {
    const callback = await server.signIn(server.browser(), portal);
    const answer = await server.token(portal, { ...redemption(callback), ...change });
    t.is(answer.status, 400, JSON.stringify(change));
  }
  const plain = await server
    .browser()
    .get(authorizationPath(portal, { code_challenge: VERIFIER, code_challenge_method: 'plain' }));
  t.regex(plain.location ?? '', /error=invalid_request/);
});
