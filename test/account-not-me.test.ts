import test, { type ExecutionContext } from 'ava';
import { run } from '../src/commands/person.ts';
import { isCommitment } from '../src/ledger/entry.ts';
import type { Database } from '../src/storage/database.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { hiddenField } from './support/hidden-field.ts';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { ledgerEntries } from './support/ledger.ts';
import { webServer } from './support/listeners.ts';
import { addPerson, idNumberOf, testIdentifiers, testPasswords, testPersons } from './support/people.ts';
import {
  answerOf,
  introspect,
  OFFLINE,
  payloadOf,
  ROOMY,
  refresh,
  tokensOf,
  userinfo,
} from './support/portal-calls.ts';
import { withoutChance } from './support/same-page.ts';
import {
  authorizationPath,
  LI,
  PASSWORD,
  startServer,
  type TestPortal,
  type TestServer,
  WANG,
} from './support/server.ts';
import { signedToTheEnd, trailOf } from './support/trail.ts';
import { until } from './support/waiting.ts';

const BRISK = { ...ROOMY, ledger: { checkpointIntervalMs: 100 } } as const;

/** A portal that can be told of a sign-out: it keeps whom each notice was about. */
async function listeningPortal(t: ExecutionContext): Promise<{ readonly origin: string; readonly told: unknown[] }> {
  const told: unknown[] = [];
  const origin = await webServer(t, (request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      told.push(payloadOf(new URLSearchParams(body).get('logout_token')).sub);
      response.writeHead(200).end();
    });
  });
  return { origin, told };
}

/** The confirmation page of the newest line that says `what`, in a browser that is signed in. */
async function askAbout(server: TestServer, browser: HttpBrowser, what: string): Promise<Page> {
  await signedToTheEnd(server);
  const line = trailOf((await browser.get('/account/trail')).text).find((told) => told.what.includes(what));
  if (line?.report === undefined) throw new Error(`no such line: ${browser.page.text}`);
  return browser.get(line.report);
}

async function refusal(server: TestServer, portal: TestPortal, identifier: string, password: string) {
  const browser = server.browser();
  await browser.get(authorizationPath(portal));
  await browser.follow();
  const uid = new URL(browser.page.url).pathname.split('/').at(-1) ?? '';
  const page = await browser.submit({ identifier, password }, '/identify');
  const text = withoutChance(page.text, uid, identifier);
  const cookies = page.setCookies.map((cookie) => cookie.replace(/=[^;]*/, ''));
  return { status: page.status, text, headers: Object.keys(page.headers).sort(), cookies };
}

test('E9 C10 C11 F2 D9 "this was not me" ends everything at once, until the person has proven who they are', async (t) => {
  const [first, second] = [await listeningPortal(t), await listeningPortal(t)];
  const server = await startServer(t, {
    ...BRISK,
    outbound: { allowedOrigins: [first.origin, second.origin] },
    outbox: { pollIntervalMs: 60_000 },
  });
  const id = await server.addPerson(WANG);
  await server.addPerson(LI);
  const portalAt = (origin: string, name: string) =>
    server.addPortal({ client_name: name, backchannel_logout_uri: `${origin}/logout` });
  const [one, two] = [await portalAt(first.origin, '门户甲'), await portalAt(second.origin, '门户乙')];
  const [thief, owner] = [server.browser(), server.browser()];
  const stolen = await tokensOf(server, one, thief, OFFLINE);
  const kept = await tokensOf(server, two, owner);
  const neighbour = server.browser();
  await server.signIn(neighbour, one, { identifier: LI.idNumber });

  const question = await askAbout(server, owner, '门户甲');
  t.is(question.status, 200);
  t.true(question.text.includes('进入“门户甲”'));
  t.true(question.text.includes('12345'));
  t.is((await server.house.persons.find(id))?.status, 'active', 'asking changes nothing');
  const entry = Number(hiddenField(question, 'entry'));
  const done = await owner.submit({}, '/account/not-me');

  t.is(done.status, 200);
  t.is(done.headers['cache-control'], 'no-store');
  const [incident] = await server.house.database.all<{ id: string; rule: string; level: string; record: string }>(
    'SELECT id, rule, level, record FROM incidents',
    [],
  );
  t.like(incident, { rule: 'not-me', level: 'IV' });
  const record = JSON.parse(incident?.record ?? '{}');
  t.like(record, { evidence: [entry], about: { key: id, person: id, client: one.id } });
  t.true(done.text.replaceAll(/<\/?span>/g, '').includes(`>${incident?.id}<`), 'the page names the case');
  t.true(done.text.includes('12345'));
  const [frozen] = await server.events('person.frozen');
  t.like(frozen, { subject: id, actor: id, data: { cause: 'reported_by_person', incident: incident?.id } });
  t.truthy(frozen?.ip);

  t.deepEqual(await server.house.sessionEnds.list(id), []);
  for (const browser of [thief, owner]) {
    t.is(answerOf(await browser.get(authorizationPath(one, { prompt: 'none' }))).get('error'), 'login_required');
    t.is((await browser.get('/account')).status, 303);
  }
  t.is((await refresh(server, one, stolen.refresh_token)).status, 400);
  for (const { access_token } of [stolen, kept]) t.is((await userinfo(server, access_token)).status, 401);
  t.deepEqual(await introspect(server, one, stolen.access_token), { active: false });
  t.true(await until(() => first.told.length >= 1 && second.told.length >= 1), 'at once, not at the next round');
  t.true(first.told.includes(payloadOf(stolen.id_token).sub));
  t.true(second.told.includes(payloadOf(kept.id_token).sub));
  t.truthy(
    answerOf(await neighbour.get(authorizationPath(one, { prompt: 'none' }))).get('code'),
    'somebody else stays',
  );
  const ends = await server.events('session.ended');
  t.is(ends.filter(({ data }) => data.cause === 'person_frozen').length, 2);

  const wrong = await refusal(server, one, LI.idNumber, 'wrong');
  t.is(wrong.status, 401);
  t.deepEqual(await refusal(server, one, WANG.idNumber, PASSWORD), wrong, 'frozen with the right password');
  t.deepEqual(await refusal(server, one, WANG.idNumber, 'wrong'), wrong, 'frozen with a wrong one');
  t.deepEqual(
    (await server.events('sign-in.refused')).filter(({ subject }) => subject === id).map(({ data }) => data.reason),
    ['frozen', 'mismatch'],
  );

  t.is(await server.house.persons.unfreeze(id, 'test', 'passport seen at counter 4'), 'changed');
  const back = server.browser();
  t.truthy((await server.signIn(back, one)).searchParams.get('code'), 'nothing else is lost');
  t.false(back.page.url.includes('consent'), 'not even the consent');
  await signedToTheEnd(server);
  const told = trailOf((await back.get('/account/trail')).text).map(({ what }) => what);
  for (const what of ['账户恢复使用', '因账户冻结，结束 2 处登录', '您报告了不是本人的操作，账户已冻结']) {
    t.true(told.includes(what), what);
  }
});

test('E2 V50 only the page itself can freeze an account, and only for a line that could be somebody else', async (t) => {
  const server = await startServer(t, BRISK);
  const id = await server.addPerson(WANG);
  const portal = await server.addPortal();
  const browser = server.browser();
  await server.signIn(browser, portal);
  const question = await askAbout(server, browser, '新设备');
  const fields = { form_token: hiddenField(question), entry: hiddenField(question, 'entry') };
  const [account, stranger] = [await browser.get('/account'), server.browser()];
  await stranger.get('/');
  const post = (form: Record<string, string>, headers: Record<string, string> = {}) =>
    browser.post('/account/not-me', form, headers);
  t.is((await post(fields, { origin: 'https://evil.cn' })).status, 403);
  t.is((await post(fields, { 'sec-fetch-site': 'cross-site' })).status, 403);
  t.is((await post({ ...fields, form_token: '' })).status, 403);
  t.is((await post({ ...fields, form_token: hiddenField(account) })).status, 403, 'a token of another form');
  t.is((await post({ ...fields, person_id: id })).status, 400);
  t.is((await post({ ...fields, entry: '-1' })).status, 400);
  const opened = await server.house.ledgerReader.subjectEntries(id, undefined, 100);
  const added = opened.find(({ entry }) => entry.includes('"person.added"'))?.seq;
  t.is((await post({ ...fields, entry: String(added) })).status, 404, 'no line to report');
  t.is((await browser.get(`/account/not-me?entry=${added}`)).status, 404);
  t.is((await stranger.post('/account/not-me', fields)).status, 400, 'nobody is signed in there');
  t.is((await server.house.persons.find(id))?.status, 'active');
  t.is((await server.events('incident.changed')).length, 0);
  t.is((await post(fields)).status, 200);
  t.is((await server.house.persons.find(id))?.status, 'frozen');
});

test('F2 C11 whoever is frozen is out before any session has ended, and may still say that it was not them', async (t) => {
  const server = await startServer(t, BRISK);
  const id = await server.addPerson(WANG);
  const portal = await server.addPortal();
  const browser = server.browser();
  const tokens = await tokensOf(server, portal, browser, OFFLINE);
  const question = await askAbout(server, browser, '新设备');
  const fields = { form_token: hiddenField(question), entry: hiddenField(question, 'entry') };
  t.is(await server.house.persons.freeze(id, 'watch', { incident: 'inc_of_the_watch' }), 'changed');
  t.is((await server.house.sessionEnds.list(id)).length, 1);
  t.is((await userinfo(server, tokens.access_token)).status, 401);
  t.is((await refresh(server, portal, tokens.refresh_token)).status, 400);
  t.is(answerOf(await browser.get(authorizationPath(portal, { prompt: 'none' }))).get('code'), null);
  t.is((await browser.get('/account')).status, 303);
  const done = await browser.post('/account/not-me', fields);
  t.is(done.status, 200);
  const [incident] = await server.house.database.all<{ id: string }>('SELECT id FROM incidents', []);
  t.true(done.text.replaceAll(/<\/?span>/g, '').includes(incident?.id ?? 'no incident'));
  t.deepEqual(await server.house.sessionEnds.list(id), []);
  t.is((await server.events('person.frozen')).length, 1);
});

test('pressed five times at once, the button opens one case, and every answer that is given names it', async (t) => {
  const server = await startServer(t, BRISK);
  const id = await server.addPerson(WANG);
  const portal = await server.addPortal();
  const browser = server.browser();
  await server.signIn(browser, portal);
  const question = await askAbout(server, browser, '新设备');
  const fields = { form_token: hiddenField(question), entry: hiddenField(question, 'entry') };
  const pages = await Promise.all(Array.from({ length: 5 }, () => browser.post('/account/not-me', fields)));
  const incidents = await server.house.database.all<{ id: string }>('SELECT id FROM incidents', []);
  t.is(incidents.length, 1);
  t.is((await server.events('person.frozen')).length, 1);
  const answered = pages.filter(({ status }) => status === 200);
  t.true(answered.length >= 1);
  for (const { text } of answered) t.true(text.replaceAll(/<\/?span>/g, '').includes(incidents[0]!.id));
  t.deepEqual(await server.house.sessionEnds.list(id), []);
});

for (const [engine, engineTest, open] of [
  ['SQLite', embeddedTest, sqliteDatabase],
  ['PostgreSQL', postgresTest, postgresDatabase],
] as const) {
  engineTest(`F2 an account is frozen once, with one case, and opened again with a reason (${engine})`, (t) =>
    frozenOnce(t, open),
  );
}

async function frozenOnce(t: ExecutionContext, open: (t: ExecutionContext) => Promise<Database>): Promise<void> {
  const database = await open(t);
  const persons = testPersons(database);
  const id = await addPerson(persons, { ...WANG, idNumber: idNumberOf(WANG.idNumber), ial: 1, origin: 'test' });
  let opened = 0;
  const incident = async (): Promise<string> => {
    opened += 1;
    return `inc_${opened}`;
  };
  await t.throwsAsync(persons.freeze(id, 'watch', { incident: () => Promise.reject(new Error('no incident')) }), {
    message: 'no incident',
  });
  t.is((await persons.profile(id))?.status, 'active', 'frozen and on record, or neither');
  const outcomes = await Promise.all(Array.from({ length: 5 }, () => persons.freeze(id, 'watch', { incident })));
  t.deepEqual(outcomes.toSorted(), ['changed', 'unchanged', 'unchanged', 'unchanged', 'unchanged']);
  t.is(opened, 1);
  t.is((await persons.profile(id))?.status, 'frozen');
  t.is(await persons.enable(id, 'test'), 'unchanged', 'whoever switches on does not open what is frozen');
  t.is(await persons.unfreeze(id, 'test', 'seen'), 'changed');
  t.is((await persons.profile(id))?.status, 'active');
  t.is(await persons.unfreeze(id, 'test', 'seen'), 'unchanged');
  t.is(await persons.disable(id, 'test'), 'changed');
  t.is(await persons.freeze(id, 'reported_by_person'), 'unchanged');
  t.is(await persons.unfreeze(id, 'test', 'seen'), 'unchanged', 'nor does it switch on what is switched off');
  t.is(await persons.freeze('psn_none', 'watch'), 'unknown');
  const [frozen, enabled, disabled] = (await ledgerEntries(database)).slice(1);
  t.like(frozen, { type: 'person.frozen', data: { cause: 'watch', incident: 'inc_1' } });
  t.not(frozen?.actor, id);
  t.like(enabled, { type: 'person.enabled', data: { origin: 'test' } });
  t.true(isCommitment(enabled?.data.reason), 'a reason may name somebody');
  t.like(disabled, { type: 'person.disabled', data: { origin: 'test' } });
}

test('the command opens a frozen account with a reason, and no other', async (t) => {
  const database = await sqliteDatabase(t);
  const persons = testPersons(database);
  const id = await addPerson(persons, { ...WANG, idNumber: idNumberOf(WANG.idNumber), ial: 1, origin: 'test' });
  const command = async (...args: readonly string[]) => {
    const said = { stdout: '', stderr: '' };
    const exitCode = await run(args, {
      persons,
      identifiers: testIdentifiers(database, persons),
      passwords: testPasswords(database),
      passwordLengths: { minLength: 8, maxLength: 256 },
      partnerScales: {},
      contextWords: [],
      stdin: (async function* () {})(),
      stdout: { write: (text) => (said.stdout += text) },
      stderr: { write: (text) => (said.stderr += text) },
    });
    return { exitCode, ...said };
  };
  t.like(await command('unfreeze', id, '--reason', 'seen'), { exitCode: 1, stdout: '' });
  await persons.freeze(id, 'reported_by_person');
  t.regex((await command('show', '--id', id)).stdout, /status +frozen/);
  t.regex((await command('enable', '--id', id)).stderr, /frozen: use unfreeze/);
  for (const args of [[id], [id, '--reason', ' \u200b '], [id, '--reason', 'x'.repeat(201)], ['--reason', 'seen']]) {
    t.is((await command('unfreeze', ...args)).exitCode, 2, args.join(' '));
  }
  t.is((await command('unfreeze', id, '--id', id, '--reason', 'seen')).exitCode, 2, 'named twice');
  t.is((await command('unfreeze', id, 'again', '--reason', 'seen')).exitCode, 2);
  t.is((await command('unfreeze', 'psn_none', '--reason', 'seen')).exitCode, 1);
  t.is((await persons.find(id))?.status, 'frozen');
  t.regex((await command('unfreeze', id, '--reason', 'ID card seen\nat counter 4')).stdout, /status +active/);
  const [enabled] = await ledgerEntries(database, 'person.enabled');
  t.is(enabled?.data.origin, 'command');
  t.true(isCommitment(enabled?.data.reason));
});
