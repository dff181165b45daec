import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parseIdentifier } from '../src/people/identifiers/identifier.ts';
import { turnClock } from '../src/shared/clock.ts';
import { commandLine, REASON } from './support/audit.ts';
import { temporaryFolder } from './support/folders.ts';
import { hiddenField } from './support/hidden-field.ts';
import { formOf, type HttpBrowser } from './support/http-client.ts';
import { COMPANY } from './support/legal-persons.ts';
import { DAY_MS, night } from './support/nights.ts';
import { introspect } from './support/portal-calls.ts';
import { pythonMissing, runPython } from './support/python-verifier.ts';
import { authorizationPath, LI, PASSWORD, redemption, startServer, type TestServer, WANG } from './support/server.ts';
import { allTold, BROWSER, HERE, oneTold, toldBy } from './support/told-events.ts';
import { signedToTheEnd } from './support/trail.ts';

const PHONE = '+8613800000001';

test.afterEach.always(() => turnClock(0));

async function signedIn(t: ExecutionContext) {
  const server = await startServer(t, { limits: { failuresPerAccount: 50 }, account: { freshProofSeconds: 300 } });
  const id = await server.addPerson(WANG);
  const phone = parseIdentifier('phone', PHONE);
  if (!phone.ok) throw new Error(phone.reason);
  await server.house.identifiers.bind(id, phone.identifier, { origin: 'test', verifiedBy: 'test' });
  const portal = await server.addPortal();
  const browser = server.browser(BROWSER);
  const callback = await server.signIn(browser, portal);
  return { server, id, portal, browser, callback };
}

async function askToClose(browser: HttpBrowser) {
  await browser.get('/account/close');
  return browser.submit({ agree: 'yes' }, '/account/close');
}

/** Types number and password where a portal wants somebody signed in. */
async function tryToSignIn(server: TestServer, portal: { id: string; secret: string }) {
  const browser = server.browser(BROWSER);
  await browser.get(authorizationPath(portal));
  await browser.follow();
  if (!browser.page.text.includes('/identify')) throw new Error(/<main[\s\S]*/.exec(browser.page.text)?.[0]);
  await browser.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify');
  return browser;
}

const rowsAbout = async ({ house }: TestServer, id: string) => {
  const counted: Record<string, number> = {};
  for (const [table, column] of [
    ['identity_documents', 'person_id'],
    ['sign_in_identifiers', 'person_id'],
    ['passwords', 'person_id'],
    ['known_devices', 'person_id'],
    ['consents', 'person_id'],
    ['sessions', 'account_id'],
    ['messages', 'id'],
  ] as const) {
    const rows = await house.database.all<{ [key: string]: unknown }>(`SELECT ${column} AS of FROM ${table}`, []);
    counted[table] = rows.filter(({ of }) => of === id).length;
  }
  return counted;
};

test.serial(
  'F2 E9 asked to close, an account is shut at once: sessions, tokens and devices end, portals are told',
  async (t) => {
    const { server, id, portal, browser, callback } = await signedIn(t);
    const { body: tokens } = await server.token(portal, redemption(callback));
    const untouched = await browser.get('/account/close');
    t.true(untouched.text.includes('15'));
    const unticked = await browser.submit({}, '/account/close');
    t.is(unticked.status, 400);
    t.is((await server.house.persons.find(id))?.status, 'active');
    const asked = await askToClose(browser);
    t.is(asked.status, 200);
    t.true(asked.text.includes('已申请注销'));
    t.is((await server.house.persons.find(id))?.status, 'closing');
    t.like(await introspect(server, portal, String(tokens.access_token)), { active: false });
    t.is((await rowsAbout(server, id)).known_devices, 0);
    const told = await toldBy(asked, 'person.closing', server);
    t.like(told, { ...HERE, actor: id, subject: id, outcome: 'success' });
    const notices = (await server.events('person.notified')).map(({ data }) => data.notice);
    t.true(notices.includes('closure-asked'));
    t.is((await server.events('session.ended')).filter(({ data }) => data.cause === 'account_closing').length, 1);
    t.is((await browser.get('/account')).status, 303, 'the account centre asks to sign in');
  },
);

test.serial(
  'F2 D9 while it waits, signing in leads to one page, which keeps the account; no portal is entered',
  async (t) => {
    const { server, id, portal, browser } = await signedIn(t);
    await askToClose(browser);
    const entered = (await server.events('portal.entered')).length;
    const returning = await tryToSignIn(server, portal);
    t.is(returning.page.status, 200);
    t.true(returning.page.text.includes('您的账户正在注销'));
    t.false(returning.page.text.includes(WANG.name));
    const wrong = await tryToSignIn(server, portal);
    const action = formOf(wrong.page.text, '/keep');
    const forged = await wrong.post(action.action, {
      form_token: action.fields.form_token!,
      person: 'psn_somebody-else',
    });
    t.is(forged.status, 403, 'the token names the person it was given to');
    const stranger = server.browser(BROWSER);
    await stranger.get(authorizationPath(portal));
    await stranger.follow();
    const refused = await stranger.submit({ identifier: WANG.idNumber, password: 'wrong' }, '/identify');
    t.is(refused.status, 401);
    t.false(refused.text.includes('注销'), 'a stranger learns nothing');
    t.is((await server.events('portal.entered')).length, entered);
    const kept = await returning.submit({}, '/keep');
    t.is(kept.status, 303);
    t.is((await server.house.persons.find(id))?.status, 'active');
    await returning.follow();
    t.true(returning.page.text.includes('账户已保留'));
    await returning.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify');
    await returning.follow(({ origin }) => origin !== server.issuer);
    t.true(returning.page.location?.includes('code='));
    t.like(await toldBy(kept, 'person.kept', server), { subject: id, data: { origin: 'sign-in' } });
    t.is((await wrong.post(action.action, action.fields)).status, 410, 'there is nothing to keep any more');
    turnClock(20 * DAY_MS);
    await night(server.house);
    t.is((await server.house.persons.find(id))?.status, 'active');
    const again = await server.house.closures.ask(id, { origin: 'test' });
    t.is(again.outcome, 'closing', 'who has kept it may ask once more');
  },
);

/** What is left of somebody verifies, in the store and as a file, by both programs, and opens nothing of theirs. */
async function verifiesWithout(t: ExecutionContext, server: TestServer, id: string): Promise<void> {
  await signedToTheEnd(server);
  const audit = commandLine(server.house.config);
  const file = join(temporaryFolder(t), 'all.jsonl');
  const key = JSON.parse((await audit(['key', '--json'])).stdout).key as string;
  const live = await audit(['verify', '--live', '--key', key]);
  t.is(live.code, 0, live.stdout + live.stderr);
  const exported = await audit(['export', '--open', '--reason', REASON, '--out', file]);
  t.is(exported.code, 0, exported.stderr);
  const verified = await audit(['verify', '--export', file, '--key', key]);
  t.is(verified.code, 0, verified.stdout + verified.stderr);
  if (pythonMissing() === undefined) {
    const { status, output } = runPython([file, '--key', key]);
    t.is(status, 0, output);
  }
  const lines = readFileSync(file, 'utf8').split('\n');
  const theirs = lines.filter((line) => line.includes(id));
  t.true(theirs.length > 3, 'the entries are there');
  t.false(
    theirs.some((line) => line.includes('127.0.0.1')),
    'and say no more than that something happened',
  );
  t.true(
    lines.some((line) => line.includes('127.0.0.1')),
    'which entries about others do',
  );
}

test.serial(
  'L15 when its day has passed everything personal is gone, the number may found a new account, and proofs hold',
  async (t) => {
    const { server, id, portal, browser } = await signedIn(t);
    const { house } = server;
    await askToClose(browser);
    turnClock(14 * DAY_MS);
    await night(house);
    t.is((await house.persons.find(id))?.status, 'closing');
    turnClock(0);
    const waiting = await tryToSignIn(server, portal);
    // The cookies of browsers follow the clock on the wall, so here the day comes to the account.
    await house.database.run('UPDATE person_closures SET due_at = due_at - $1', [15 * 86_400 + 1]);
    t.is((await waiting.submit({}, '/keep')).status, 410, 'the day has come');
    t.deepEqual(
      await night(house),
      house.lifeJobs.map(() => 'finished'),
    );
    t.deepEqual(await house.persons.find(id).then((person) => person && [person.status, person.ial]), ['closed', 0]);
    t.deepEqual(new Set(Object.values(await rowsAbout(server, id))), new Set([0]));
    const row = await house.database.get<Record<string, unknown>>('SELECT * FROM persons WHERE id = $1', [id]);
    for (const [column, value] of Object.entries(row ?? {})) if (column.endsWith('_sealed')) t.is(value, null, column);
    t.is((await oneTold('person.closed', { subject: id }, server)).actor, 'system');
    const again = await server.addPerson(WANG);
    t.not(again, id);
    const returned = server.browser();
    await server.signIn(returned, portal);
    t.is(await house.persons.profile(id), undefined);
    // What the ledger says stays readable for as long as the law wants it, and then no longer.
    const opened = async () => (await allTold(server, 'person.closing', { subject: id })).map(({ ip }) => ip);
    t.deepEqual(await opened(), ['sealed 127.0.0.1']);
    turnClock((1 + house.config.ledger.retentionDays) * DAY_MS);
    await night(house);
    t.deepEqual(await opened(), ['sealed undefined']);
    t.like(await oneTold('person.erased', { subject: id }, server), {
      data: { origin: 'retention', reason: 'account closed' },
    });
    await night(house);
    t.is((await server.events('person.erased')).length, 1);
    await verifiesWithout(t, server, id);
  },
);

test.serial(
  'F3 whoever alone represents a company is told so, and nothing is shut; posts and mandates end with an account',
  async (t) => {
    const { server, id, browser } = await signedIn(t);
    const { legalPersons, mandates, closures, persons } = server.house;
    const claimed = await legalPersons.claim({ personId: id, ...COMPANY });
    if (!claimed.ok) return t.fail(claimed.reason);
    const refused = await askToClose(browser);
    t.is(refused.status, 400);
    t.true(refused.text.includes(COMPANY.name));
    t.is((await persons.find(id))?.status, 'active');
    t.is((await server.events('person.closing')).length, 0);
    const li = await server.addPerson(LI);
    const { id: company } = claimed.legalPerson;
    t.true((await legalPersons.appoint(company, li, { personId: id })).ok);
    const granted = await mandates.grant(
      { kind: 'agent', legalPersonId: company, agent: { personId: li }, matters: ['company-registration'] },
      { personId: id },
    );
    if (!granted.ok) return t.fail(granted.reason);
    t.true((await mandates.accept(granted.mandate.id, { personId: li })).ok);
    t.is((await closures.ask(li, { origin: 'test' })).outcome, 'closing');
    turnClock(15.1 * DAY_MS);
    await night(server.house);
    t.is((await persons.find(li))?.status, 'closed');
    t.deepEqual(await legalPersons.postsOf({ personId: li }), []);
    t.like(await oneTold('post.ended', { subject: li }, server), {
      actor: 'system',
      data: { cause: 'account_closed' },
    });
  },
);

test.serial('a closure is halted while the account is switched off, and goes on when it is on again', async (t) => {
  const { server, id, browser } = await signedIn(t);
  const { persons } = server.house;
  await askToClose(browser);
  t.is(await persons.disable(id, 'test', 'a court wants the records kept'), 'changed');
  turnClock(20 * DAY_MS);
  await night(server.house);
  t.is((await persons.find(id))?.status, 'disabled');
  await persons.enable(id, 'test');
  t.is((await persons.find(id))?.status, 'closing');
  await night(server.house);
  t.is((await persons.find(id))?.status, 'closed');
});

test.serial('D15 only a fresh proof closes an account', async (t) => {
  const { server, id, browser } = await signedIn(t);
  const page = await browser.get('/account/close');
  turnClock(301_000);
  t.is((await browser.get('/account/close')).status, 303);
  const asked = await browser.post('/account/close', { form_token: hiddenField(page), agree: 'yes' });
  t.true(asked.text.includes('name="password"'));
  t.is((await server.house.persons.find(id))?.status, 'active');
  t.is((await browser.post('/account/close', { form_token: 'x', agree: 'yes' })).status, 403);
});
