import test from 'ava';
import { hiddenField } from './support/hidden-field.ts';
import { ROOMY } from './support/portal-calls.ts';
import { PASSWORD, startServer, type TestServer, WANG } from './support/server.ts';
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
