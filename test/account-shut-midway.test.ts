import test from 'ava';
import { embeddedTest, postgresStore, postgresTest } from './support/databases.ts';
import { hiddenField } from './support/hidden-field.ts';
import { ROOMY } from './support/portal-calls.ts';
import { authorizationPath, PASSWORD, startServer, type TestServer, WANG } from './support/server.ts';
import { until } from './support/waiting.ts';

const PHONE = '13800001234';
const NEW_PASSWORD = 'seven blue kites over the lake';

for (const [how, shut] of [
  ['disabled', ({ house }: TestServer, id: string) => house.persons.disable(id, 'test')],
  ['frozen', ({ house }: TestServer, id: string) => house.persons.freeze(id, 'watch')],
] as const)
  test(`F2 V3 V42 whoever is ${how} in the middle of a change of their account changes nothing more`, async (t) => {
    const server = await startServer(t, { ...ROOMY, outbox: { pollIntervalMs: 50 } });
    const id = await server.addPerson(WANG);
    const browser = server.browser();
    await server.signIn(browser, await server.addPortal());
    const { house } = server;
    await browser.get('/account/methods/phone');
    await browser.submit({ address: PHONE }, '/account/methods/phone');
    const sent = async () =>
      (await house.reaching.mailbox?.list(5))?.flatMap(({ text }) => /\b\d{6}\b/.exec(text) ?? []);
    t.true(await until(async () => ((await sent()) ?? []).length > 0));
    const [code = ''] = (await sent()) ?? [];
    const form_token = hiddenField(browser.page);
    await shut(server, id);

    const held = async () => ({
      identifiers: await house.identifiers.list(id),
      factors: await house.boundFactors.list(id),
      policy: await house.factorPolicies.of(id),
      password: await house.passwords.changedAt(id),
      codes: await house.database.all('SELECT count(*) AS codes FROM recovery_codes', []),
      closing: await house.database.all('SELECT count(*) AS closing FROM person_closures', []),
    });
    const before = await held();
    for (const [path, fields] of [
      ['/account/methods/phone/code', { address: PHONE, code }],
      ['/account/methods/phone', { address: '13900005678' }],
      ['/account/methods/email', { address: 'wang@example.cn' }],
      ['/account/methods/user-name', { userName: 'wang.xiaoming' }],
      ['/account/methods/password', { password: PASSWORD, newPassword: NEW_PASSWORD, newPasswordAgain: NEW_PASSWORD }],
      ['/account/methods/always', { always: 'yes' }],
      ['/account/recovery-codes', {}],
      ['/account/close', { agree: 'yes' }],
      ['/account/data/show', {}],
      ['/account/documents/show', {}],
      ['/account/prove', { password: PASSWORD, next: '/account' }],
    ] as const) {
      const answer = await browser.post(path, { form_token, ...fields });
      t.true(answer.status >= 400 || answer.status === 303, `${path}: ${answer.status}`);
      t.false(answer.text.includes(WANG.idNumber) || answer.text.includes(WANG.name), path);
      t.deepEqual(await held(), before, path);
    }
    t.is((await sent())?.length, 1, 'nor is anything sent');
  });

for (const engine of ['SQLite', 'PostgreSQL'] as const) {
  const run = engine === 'SQLite' ? embeddedTest : postgresTest;
  run(
    `F2 V42 whoever is disabled while their password is hashed goes on nowhere, session or not (${engine})`,
    async (t) => {
      const server = await startServer(t, {
        ...ROOMY,
        ...(engine === 'PostgreSQL' ? { database: { url: await postgresStore(t) } } : {}),
        password: { memoryKib: 65_536, iterations: 6 },
      });
      const id = await server.addPerson(WANG);
      const portal = await server.addPortal();
      const { passwords, persons } = server.house;
      const signedIn = server.browser();
      await server.signIn(signedIn, portal);
      for (const browser of [signedIn, server.browser()]) {
        await browser.get(authorizationPath(portal, { prompt: 'login' }));
        await browser.follow();
        const before = passwords.load().started;
        const answering = browser.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify');
        t.true(await until(async () => passwords.load().started > before));
        await persons.disable(id, 'test');
        t.is(passwords.load().running, 1, 'the hash is under way');
        await answering;
        t.true(browser.page.status >= 400, `${browser.page.status} ${browser.page.location}`);
        await persons.enable(id, 'test');
      }
      t.is((await server.events('sign-in.succeeded')).length, 1);
    },
  );
}
