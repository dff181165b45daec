import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test, { type ExecutionContext } from 'ava';
import type { Verdict } from '../src/monitoring/readiness.ts';
import { postgresStore, postgresTest } from './support/databases.ts';
import { postAs, ROOMY } from './support/portal-calls.ts';
import { freshPlace, startProduct } from './support/product.ts';
import { authorizationPath, freePort, PASSWORD, redemption, startServer, WANG } from './support/server.ts';
import { until } from './support/waiting.ts';

const SHUT = {
  sqlite: ["CREATE TRIGGER shut BEFORE INSERT ON ledger_entries BEGIN SELECT RAISE(ABORT, 'the ledger is shut'); END"],
  postgres: [
    `CREATE FUNCTION shut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the ledger is shut'; END $$`,
    'CREATE TRIGGER shut BEFORE INSERT ON ledger_inbox FOR EACH ROW EXECUTE FUNCTION shut()',
  ],
} as const;
const OPEN = { sqlite: 'DROP TRIGGER shut', postgres: 'DROP TRIGGER shut ON ledger_inbox' } as const;

/** The store is well and takes every write; the ledger alone takes none. */
async function shutAndOpened(t: ExecutionContext, engine: 'sqlite' | 'postgres'): Promise<void> {
  const port = await freePort();
  const url = engine === 'postgres' ? await postgresStore(t) : '';
  const server = await startServer(t, { ...ROOMY, monitoring: { port }, database: { url } });
  const { database, sessionEnds } = server.house;
  const wang = await server.addPerson(WANG);
  const portal = await server.addPortal();
  const browser = server.browser();
  const callback = await server.signIn(browser, portal);
  const [other, guesser] = [server.browser(), server.browser()];
  for (const newcomer of [other, guesser]) {
    await newcomer.get(authorizationPath(portal));
    await newcomer.follow();
  }
  const ready = async (): Promise<number> => (await fetch(`${server.issuer}/health/ready`)).status;
  t.is(await ready(), 200);
  const before = (await server.events()).length;

  for (const statement of SHUT[engine]) await database.run(statement, []);
  const page = await other.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify');
  t.is(page.status, 503);
  t.is(page.location, undefined);
  t.deepEqual(page.setCookies, []);
  t.regex(page.text, /1205/);
  t.notRegex(page.text, /the ledger is shut|trigger|SQL/i);
  t.is((await guesser.submit({ identifier: WANG.idNumber, password: 'wrong' }, '/identify')).status, 503);
  const refused = [
    await postAs(server, portal, '/token', { grant_type: 'client_credentials' }),
    await postAs(server, portal, '/token', redemption(callback)),
  ];
  for (const answer of refused) {
    t.is(answer.status, 503);
    t.notRegex(await answer.text(), /access_token|the ledger is shut/);
  }
  await t.throwsAsync(server.house.persons.disable(wang, 'test'), { message: /audit ledger/ });
  t.is((await server.house.persons.profile(wang))?.status, 'active', 'what cannot be recorded does not happen');
  t.is((await sessionEnds.list(wang)).length, 1);
  t.true(await until(async () => (await ready()) === 503, 10_000));
  const verdict = (await (await fetch(`http://127.0.0.1:${port}/readyz`)).json()) as Verdict;
  t.is(verdict.status, 'unready');
  t.deepEqual(verdict.checks.ledger, { state: 'fail', detail: 'takes no entries' });
  t.is(verdict.checks.database?.state, 'ok');
  t.is((await fetch(`${server.issuer}/health/live`)).status, 200);

  await database.run(OPEN[engine], []);
  t.true(await until(async () => (await ready()) === 200, 10_000));
  t.is((await server.token(portal, redemption(callback))).status, 200, 'the code was not spent meanwhile');
  const told = (await server.events()).slice(before).map(({ type }) => type);
  t.deepEqual(told, ['token.issued'], 'neither the refused nor the tried is in it');
}

test('H4 L8 a ledger that takes no entries lets nothing happen, and the node says that it is not ready (SQLite)', (t) =>
  shutAndOpened(t, 'sqlite'));
postgresTest(
  'H4 L8 a ledger that takes no entries lets nothing happen, and the node says that it is not ready (PostgreSQL)',
  (t) => shutAndOpened(t, 'postgres'),
);

test('X7 a server whose ledger takes no entries still ends when it is told to, and says that its end is not on record', async (t) => {
  const place = await freshPlace(t);
  const env = { TONGBAN_PROFILE: 'test', TONGBAN_LOG_DESTINATION: 'none' };
  const product = await startProduct(t, place, env);
  const file = new DatabaseSync(join(place.dataDir, 'tongban.db'), { timeout: 5_000 });
  file.exec(SHUT.sqlite[0]);
  const late = setTimeout(() => product.end('SIGKILL'), 20_000);
  t.is(await product.end('SIGTERM'), 1, 'ended by itself, and not by force');
  clearTimeout(late);
  file.exec(OPEN.sqlite);
  file.close();
  const again = await startProduct(t, place, env);
  t.is(await again.end('SIGTERM'), 0, 'what was signed is whole');
});
