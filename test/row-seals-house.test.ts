import test from 'ava';
import { run } from '../src/commands/rows.ts';
import { intruder } from './support/intruder.ts';
import { authorizationPath, LI, startServer, type TestServer, WANG } from './support/server.ts';
import { until } from './support/waiting.ts';

/** Every row the ledger has been told of. */
async function told(server: TestServer): Promise<readonly string[]> {
  await server.house.failures.settle();
  return [...new Set((await server.events('row.altered')).map(({ data }) => `${data.table}:${data.row}`))];
}

const isTold = (server: TestServer, place: string): Promise<boolean> =>
  until(async () => (await told(server)).includes(place));

test('H10 whoever writes into the store becomes nobody else: a copied password, a moved document and a raised level are refused', async (t) => {
  const server = await startServer(t);
  const portal = await server.addPortal();
  const wang = await server.addPerson(WANG);
  const li = await server.addPerson(LI, 'another good password');
  const { run: alter } = intruder(t, server);
  const signIn = async (identifier: string, password: string) => {
    const browser = server.browser({ accept: 'text/html' });
    await browser.get(authorizationPath(portal));
    await browser.follow();
    await browser.submit({ identifier, password }, '/identify');
    return browser.page;
  };
  const refusedFor = async (identifier: string, password: string, place: string): Promise<void> => {
    const page = await signIn(identifier, password);
    t.is(page.status, 503, place);
    t.regex(page.text, /1208/, place);
    t.notRegex(page.text, /row_seal|at file:|guarded/);
    t.true(await isTold(server, place), place);
  };
  await alter(
    'UPDATE passwords SET hash = (SELECT hash FROM passwords WHERE person_id = ?) WHERE person_id = ?',
    li,
    wang,
  );
  await refusedFor(WANG.idNumber, 'another good password', `passwords:${wang}`);
  await alter('UPDATE persons SET ial = 4 WHERE id = ?', li);
  await refusedFor(LI.idNumber, 'another good password', `persons:${li}`);
  t.true(
    await until(
      async () =>
        (await server.house.database.all("SELECT id FROM incidents WHERE rule = 'row-altered'", [])).length > 0,
    ),
    'the watch has opened an incident',
  );
  t.is((await fetch(`${server.issuer}/health/ready`)).status, 200, 'one row is no reason to turn everybody away');
});

test('H10 a portal that was altered is served no more, and others are', async (t) => {
  const server = await startServer(t);
  const [own, other] = [await server.addPortal(), await server.addPortal()];
  await server.addPerson(WANG);
  const { run: alter } = intruder(t, server);
  await alter(
    "UPDATE relying_parties SET record = replace(record, 'https://portal.example', 'https://portal.evil') WHERE client_id = ?",
    own.id,
  );
  await t.notThrowsAsync(server.signIn(server.browser(), other));
  t.true(
    await until(async () => {
      const browser = server.browser({ accept: 'text/html' });
      await browser.get(authorizationPath(own));
      return browser.page.status === 503 && browser.page.text.includes('1208');
    }),
    'within the second in which changes of others are seen',
  );
  t.true(await isTold(server, `relying_parties:${own.id}`));
  t.is((await told(server)).length, 1);
  t.true(
    (await server.house.relyingParties.list()).every(({ clientId }) => clientId !== own.id),
    'lists go without it',
  );
});

test('H10 a role that was put there opens nothing, and a consent that was widened asks again', async (t) => {
  const server = await startServer(t);
  const portal = await server.addPortal({ scope: 'openid profile' });
  const wang = await server.addPerson(WANG);
  await server.signIn(server.browser(), portal, { query: { scope: 'openid' } });
  const { run: alter } = intruder(t, server);
  await alter(
    "INSERT INTO staff (person_id, role, status, added_at, changed_at) VALUES (?, 'security', 'active', 0, 0)",
    wang,
  );
  t.is((await t.throwsAsync<Error & { code: string }>(server.house.staff.roleOf(wang)))?.code, 'row_altered');
  await alter(`UPDATE consents SET scopes = '["openid","profile"]' WHERE person_id = ?`, wang);
  await t.throwsAsync(server.signIn(server.browser(), portal, { query: { scope: 'openid profile' } }));
  t.true(await isTold(server, `consents:${wang}:${portal.id}`));
});

test('H10 the command finds what nobody has read, says so by its exit code, and seals what somebody has looked at', async (t) => {
  const server = await startServer(t);
  const wang = await server.addPerson(WANG);
  const rows = async (...args: readonly string[]) => {
    let said = '';
    const hear = {
      write: (text: string) => {
        said += text;
      },
    };
    return { code: await run(args, { house: server.house, stdout: hear, stderr: hear }), said };
  };
  t.is((await rows('check')).code, 0);
  const [checked] = await server.events('row.checked');
  t.like(checked?.data, { altered: 0 });
  const tables = checked?.data.tables;
  t.true(Array.isArray(tables) && tables.includes('persons 1'));
  await intruder(t, server).run('UPDATE persons SET ial = 4 WHERE id = ?', wang);
  const found = await rows('check', '--per-second', '50000');
  t.is(found.code, 1);
  t.regex(found.said, /1 do not match/);
  t.true(await isTold(server, `persons:${wang}`));
  t.is((await told(server)).length, 1);
  t.is((await rows('check', '--status')).code, 1);
  t.is((await rows('seal', 'persons', wang)).code, 2, 'nobody seals without saying why');
  t.is((await rows('seal', 'persons', 'psn_nobody', '--reason', 'looked at')).code, 1);
  t.is((await rows('seal', 'sessions', 'x', '--reason', 'looked at')).code, 1);
  t.is((await rows('seal', 'persons', wang, '--reason', 'compared with the backup of last night')).code, 0);
  server.house.persons.forget(wang);
  t.is((await server.house.persons.find(wang))?.ial, 4);
  t.is((await rows('check')).code, 0);
  const [sealed] = await server.events('row.sealed');
  t.like(sealed?.data, { origin: 'command line', table: 'persons', row: wang, rows: 1 });
  t.false(JSON.stringify(sealed).includes('backup of last night'), 'words of people stand as a commitment');
  t.is((await rows('seal', '--all', '--reason', 'nodes of two versions')).code, 0);
  t.is((await rows('sale')).code, 2);
});

test('H10 a house that only tells serves on, and what it writes is right again', async (t) => {
  const server = await startServer(t, { keys: { alteredRows: 'tell' } });
  const wang = await server.addPerson(WANG);
  const portal = await server.addPortal();
  await intruder(t, server).run('UPDATE persons SET ial = 3 WHERE id = ?', wang);
  await t.notThrowsAsync(server.signIn(server.browser(), portal));
  t.true(await isTold(server, `persons:${wang}`));
});
