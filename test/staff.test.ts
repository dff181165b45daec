import test, { type ExecutionContext } from 'ava';
import { run } from '../src/commands/staff.ts';
import { presentStep, writeSeed } from '../src/factors/otp-token.ts';
import { stepState } from '../src/factors/stepped-code.ts';
import { tokenCode } from '../src/factors/token-codes.ts';
import { nowSeconds } from '../src/shared/clock.ts';
import { embeddedTest, postgresSchema, postgresTest } from './support/databases.ts';
import { answerOf, arrive, payloadOf, ROOMY, userinfo } from './support/portal-calls.ts';
import { allow, asksForPassword, asksForSecond, bindApp, enter, giveCode, somebody } from './support/second-factor.ts';
import { authorizationPath, PASSWORD, redemption, startServer, type TestServer } from './support/server.ts';
import { allTold } from './support/told-events.ts';
import { writtenBy } from './support/written.ts';

const ELSEWHERE = ['192.0.2.0/24'];
const HERE = ['127.0.0.0/8'];
const SEED = { algorithm: 'gmt0021', key: 'ab'.repeat(16), periodSeconds: 60, digits: 6 } as const;

async function tongban(server: TestServer, ...args: readonly string[]) {
  const { written, ...streams } = writtenBy();
  const code = await run(args, { house: server.house, ...streams });
  return { code, ...written };
}

/** A hardware token of the person, bound long ago. */
async function bindToken({ house }: TestServer, personId: string): Promise<() => string> {
  const factor = { kind: 'otp_token', personId, label: '', secret: writeSeed(SEED) } as const;
  const state = stepState({ lastStep: 0, drift: 0 });
  const bound = await house.database.write((tx) =>
    house.boundFactors.bind(tx, { ...factor, state, externalKey: `HW ${personId}` }, { origin: 'test' }),
  );
  if (!bound.ok) throw new Error(bound.reason);
  return () => tokenCode(SEED, presentStep(SEED));
}

async function office(t: ExecutionContext, overrides: Parameters<typeof startServer>[1] = {}) {
  const server = await startServer(t, { ...ROOMY, ...overrides });
  const portal = await server.addPortal({ staff_only: true, grant_types: ['authorization_code'] });
  return { server, portal, plain: await server.addPortal() };
}

const refusals = async (server: TestServer) =>
  (await server.events('sign-in.refused')).map(({ data }) => (data as { readonly reason: string }).reason);

for (const [engine, on, url] of [
  ['SQLite', embeddedTest, undefined],
  ['PostgreSQL', postgresTest, postgresSchema],
] as const)
  on.serial(`F4 members of staff hold one role each, and every change of it is on record (${engine})`, async (t) => {
    const server = await startServer(t, url === undefined ? {} : { database: { url: await url(t) } });
    const { id } = await somebody(server);
    for (const wrong of [
      ['add', id],
      ['add', id, '--role', 'king'],
      ['list', id],
      ['disable', id, '--role', 'audit'],
      [],
    ])
      t.is((await tongban(server, ...wrong)).code, 2, wrong.join(' '));
    t.is((await tongban(server, 'add', 'psn_nobody', '--role', 'audit')).code, 1);
    t.is((await tongban(server, 'role', id, '--role', 'audit')).code, 1, 'no member yet');
    t.is((await tongban(server, 'list')).stdout, 'There are no members of staff.\n');
    t.is((await tongban(server, 'add', id, '--role', 'security')).code, 0);
    t.is((await tongban(server, 'add', id, '--role', 'audit')).code, 1, 'nobody gets a second role');
    t.is(await server.house.staff.roleOf(id), 'security');
    t.is((await tongban(server, 'role', id, '--role', 'audit')).code, 0);
    t.is((await tongban(server, 'disable', id, '--json')).stdout, '{"outcome":"done"}\n');
    t.is((await tongban(server, 'disable', id)).code, 1);
    t.is(await server.house.staff.roleOf(id), undefined);
    t.is((await tongban(server, 'list')).stdout, `${id}  audit  disabled\n`);
    t.is((await tongban(server, 'enable', id)).code, 0);
    t.is(await server.house.staff.roleOf(id), 'audit');
    for (const [type, data] of [
      ['staff.added', { role: 'security' }],
      ['staff.role-changed', { role: 'audit', formerly: 'security' }],
      ['staff.disabled', { role: 'audit' }],
      ['staff.enabled', { role: 'audit' }],
    ] as const) {
      const told = await server.events(type);
      t.is(told.length, 1, type);
      t.like(told[0], { subject: id, data: { origin: 'command', ...data } });
    }
  });

test.serial('S1 D13 a portal for staff takes members alone, with a key beside the password', async (t) => {
  const { server, portal, plain } = await office(t, { staff: { officeNetworks: HERE } });
  const { id, idNumber } = await somebody(server);
  const code = await bindToken(server, id);
  const app = await bindApp(server, id);
  const citizen = server.browser();
  await enter(server, citizen, portal, idNumber);
  t.is(citizen.page.status, 403, 'with the right password, and no member');
  t.deepEqual(await refusals(server), ['not_staff']);
  t.deepEqual(await server.house.sessionEnds.list(id), []);

  await tongban(server, 'add', id, '--role', 'counter');
  const browser = server.browser();
  await enter(server, browser, plain, idNumber);
  await allow(server, browser);
  t.truthy(answerOf(browser.page).get('code'), 'as a citizen by the password, as ever');
  await browser.get(authorizationPath(portal, { prompt: 'none' }));
  t.is(answerOf(browser.page).get('error'), 'login_required');
  await enter(server, browser, portal, idNumber);
  t.true(asksForSecond(browser.page));
  await giveCode(server, browser, app.code(), 'totp');
  t.is(browser.page.status, 400, 'a code of an app is no key, whatever the form says');
  await enter(server, browser, portal, idNumber);
  await giveCode(server, browser, code(), 'otp_token');
  await allow(server, browser);
  const { body } = await server.token(portal, redemption(new URL(browser.page.location ?? '')));
  t.true((payloadOf(body.id_token).amr as string[]).includes('hwk'));

  await tongban(server, 'disable', id);
  t.deepEqual(await server.house.sessionEnds.list(id), []);
  t.is((await userinfo(server, body.access_token)).status, 401);
});

for (const [limit, seconds, staff] of [
  ['without use', 120, { idleSeconds: 120, absoluteSeconds: 3000 }],
  ['in all', 300, { idleSeconds: 900, absoluteSeconds: 300 }],
] as const)
  test.serial(`E4 a session that has opened a portal for staff lives as long as theirs may, ${limit}`, async (t) => {
    const { server, portal, plain } = await office(t, { staff });
    const { id, idNumber } = await somebody(server);
    const code = await bindToken(server, id);
    await tongban(server, 'add', id, '--role', 'system');
    const browser = server.browser();
    const left = async (): Promise<number> => {
      const row = await server.house.database.get<{ at: number }>('SELECT max(expires_at) AS at FROM sessions', []);
      return Number(row?.at) - nowSeconds();
    };
    const silently = async (to: typeof portal): Promise<string> => {
      await browser.get(authorizationPath(to, { prompt: 'none' }));
      return answerOf(browser.page).get('error') ?? 'in';
    };
    await enter(server, browser, plain, idNumber);
    await allow(server, browser);
    t.true((await left()) > seconds, 'a citizen may rest longer');
    await enter(server, browser, portal, idNumber);
    await giveCode(server, browser, code(), 'otp_token');
    await allow(server, browser);
    t.true((await left()) <= seconds);
    t.is(await silently(portal), 'in');
    t.is(await silently(plain), 'in');
    t.true((await left()) <= seconds, 'whatever it is used for');
    await server.house.database.write((tx) => tx.run('UPDATE sessions SET expires_at = expires_at - $1', [seconds]));
    t.is(await silently(portal), 'login_required');
    t.is(await silently(plain), 'login_required', 'the session is over for everybody');
  });

test.serial(
  'S1 from elsewhere, or outside the hours, nobody is asked for a password at a portal for staff',
  async (t) => {
    for (const staff of [{ officeNetworks: ELSEWHERE }, { officeHours: hoursThatAreOver() }]) {
      const { server, portal, plain } = await office(t, { staff });
      const { id, idNumber } = await somebody(server);
      await tongban(server, 'add', id, '--role', 'audit');
      const browser = server.browser();
      await browser.get(authorizationPath(portal));
      t.false(asksForPassword(browser.page));
      t.is(answerOf(browser.page).get('error'), 'unmet_authentication_requirements');
      t.true((await allTold(server, 'portal.refused')).length > 0);
      await enter(server, browser, plain, idNumber);
      t.not(browser.page.status, 403, 'their own life as a citizen is not concerned');
    }
  },
);

test('E4 a portal for staff has no refresh tokens', async (t) => {
  const { server } = await office(t);
  const record = { client_name: 'Desk', redirect_uris: ['https://desk.example/cb'], scope: 'openid', staff_only: true };
  const grants = { grant_types: ['authorization_code', 'refresh_token'] };
  const outcome = await server.house.relyingParties.add({ ...record, ...grants }, 'test');
  t.false(outcome.ok);
});

/** An hour of every day that neither is now nor comes soon, in Beijing time. */
function hoursThatAreOver(): string {
  const hour = (new Date().getUTCHours() + 8 + 12) % 24;
  return `1-7 ${String(hour).padStart(2, '0')}:00-${String(hour).padStart(2, '0')}:30`;
}

const NEW_PASSWORD = 'nine green boats on the river';
const age = ({ house }: TestServer, id: string, days: number) =>
  house.database.run('UPDATE passwords SET changed_at = $1 WHERE person_id = $2', [nowSeconds() - days * 86_400, id]);
const asksForNew = (page: { readonly text: string }): boolean => page.text.includes('data-page="new-password"');

test.serial(
  'S1 D2 members of staff change a password of ninety days at their own door, and citizens grow old in peace',
  async (t) => {
    const { server, portal, plain } = await office(t);
    const { id, idNumber } = await somebody(server);
    const code = await bindToken(server, id);
    await tongban(server, 'add', id, '--role', 'system');
    await age(server, id, 91);
    const browser = server.browser();
    await enter(server, browser, plain, idNumber);
    await allow(server, browser);
    t.truthy(answerOf(browser.page).get('code'), 'as a citizen, by a password of any age');
    await enter(server, browser, portal, idNumber);
    t.true(
      asksForSecond(browser.page),
      'what the session rests on counts for nothing here, and the password was asked for',
    );
    t.true(asksForNew(await giveCode(server, browser, code(), 'otp_token')));
    t.true(browser.page.text.includes('90'), 'it says after how many days');
    const choose = (fresh: string) => browser.submit({ newPassword: fresh, newPasswordAgain: fresh }, '/new-password');
    t.regex(
      (await choose(PASSWORD)).text,
      /<input id="newPassword"[^>]*aria-invalid="true"/,
      'the one that has grown old',
    );
    await choose(NEW_PASSWORD);
    await arrive(server, browser);
    await allow(server, browser);
    t.truthy(answerOf(browser.page).get('code'));
    await browser.get(authorizationPath(portal, { prompt: 'none' }));
    t.truthy(answerOf(browser.page).get('code'), 'and silence serves them from now on');
    await age(server, id, 91);
    await browser.get(authorizationPath(portal, { prompt: 'none' }));
    t.is(answerOf(browser.page).get('error'), 'login_required');
    await browser.get(authorizationPath(plain, { prompt: 'none' }));
    t.truthy(answerOf(browser.page).get('code'));
  },
);

test.serial(
  'S1 of the five latest passwords of a member of staff none is chosen again, whatever citizens may',
  async (t) => {
    const server = await startServer(t, ROOMY);
    const member = await somebody(server);
    const citizen = await somebody(server);
    await tongban(server, 'add', member.id, '--role', 'audit');
    const { passwords } = server.house;
    const later = ['nine green boats', 'eight red lanterns', 'seven blue kites', 'six grey geese', 'five white hens'];
    for (const password of later) for (const { id } of [member, citizen]) await passwords.set(id, password, 'test');
    for (const password of later) t.is(await passwords.isReused(member.id, password), 'reused', password);
    t.is(await passwords.isReused(member.id, PASSWORD), 'fresh', 'the sixth');
    t.is(await passwords.isReused(citizen.id, later[0]!), 'fresh');
    await tongban(server, 'disable', member.id);
    t.is(await passwords.isReused(member.id, later[0]!), 'fresh', 'who works here no more is a citizen');
  },
);

test.serial('S1 members of staff are told two weeks before, and nobody else', async (t) => {
  const server = await startServer(t, ROOMY);
  const member = await somebody(server);
  const citizen = await somebody(server);
  await tongban(server, 'add', member.id, '--role', 'audit');
  const job = server.house.lifeJobs.find(({ name }) => name === 'staff-password-warnings');
  await age(server, citizen.id, 80);
  await age(server, member.id, 75);
  t.is(await job?.count(), 0);
  await age(server, member.id, 77);
  t.is(await job?.count(), 1);
  await job?.step(undefined, 20);
  t.is(await job?.count(), 0, 'once');
  const told = (await allTold(server, 'person.notified')).map(({ subject, data }) => [subject, data]);
  t.deepEqual(told, [[member.id, { notice: 'password-aging' }]]);
  t.is(
    server.house.lifeJobs.find(({ name }) => name === 'password-warnings'),
    undefined,
  );
});
