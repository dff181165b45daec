import { createHmac } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import type { NewMessage } from '../src/delivery/messages.ts';
import { MESSAGE_LANGUAGES, messageText, messageValue, type TemplateName } from '../src/delivery/texts/texts.ts';
import { turnClock } from '../src/shared/clock.ts';
import { webServer } from './support/listeners.ts';
import { identifierOf } from './support/people.ts';
import { LI, startServer, type TestServer, WANG } from './support/server.ts';
import { allTold, BAD, GOOD, NOWHERE, oneTold } from './support/told-events.ts';
import { until } from './support/waiting.ts';

const PHONE = '+8613912345678';
const KEY = 'a key the gateway and we share';
const QUICK = { pollIntervalMs: 50, firstDelaySeconds: 1, attemptsMax: 3 };

interface Received {
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

const message = (over: Partial<NewMessage<'code-register'>> = {}): NewMessage<'code-register'> => ({
  channel: 'sms',
  address: PHONE,
  template: 'code-register',
  values: { code: '314159', minutes: '5' },
  language: 'zh-CN',
  lifetimeSeconds: 300,
  ...over,
});

const post = ({ house }: TestServer, ...messages: readonly NewMessage<'code-register'>[]): Promise<void> =>
  house.database.write(async (tx) => {
    for (const one of messages) await house.reaching.messages.post(tx, one);
  });

/** A server whose messages go to a gateway on this machine that answers as told, and 200 ever after. */
async function withGateway(t: ExecutionContext, answers: number[] = [], templates: readonly string[] = []) {
  const received: Received[] = [];
  const origin = await webServer(t, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString() });
      response.writeHead(answers.shift() ?? 200).end('{"a":"very long answer that nobody reads"}');
    });
  });
  const server = await startServer(t, {
    messenger: 'gateway',
    sms: { url: `${origin}/send/v1?product=id`, keyId: 'province', key: KEY, templates },
    outbound: { allowedOrigins: [origin] },
    outbox: QUICK,
  });
  return { server, received };
}

test('a code goes to the gateway signed, with the id of its template', async (t) => {
  const { server, received } = await withGateway(t, [], ['code-register=SMS_10001']);
  await post(server, message(), message({ channel: 'voice', address: '+8613800000000' }));
  t.true(await until(() => received.length === 2));
  const [first] = received.filter(({ body }) => body.includes(PHONE));
  const sent = JSON.parse(first!.body);
  t.like(sent, { to: PHONE, channel: 'sms', template: 'SMS_10001', values: { code: '314159', minutes: '5' } });
  t.true(sent.text.includes('314159'));
  const { headers } = first!;
  t.is(headers['tongban-key'], 'province');
  t.is(headers['tongban-id'], sent.id);
  t.true(Math.abs(Number(headers['tongban-time']) - Date.now() / 1000) < 30);
  const signed = ['POST', '/send/v1?product=id', headers['tongban-time'], sent.id, first!.body].join('\n');
  t.is(headers['tongban-signature'], createHmac('sm3', KEY).update(signed).digest('hex'));
});

test('R15 a gateway that is down is tried again with the same id, one that refuses is not', async (t) => {
  const { server, received } = await withGateway(t, [503, 429, 200, 400]);
  await post(server, message());
  t.true(await until(() => received.length === 3));
  t.is(new Set(received.map(({ headers }) => headers['tongban-id'])).size, 1);
  t.true(await until(async () => (await server.events('message.delivered')).length === 1));
  const told = { ...NOWHERE, actor: 'system', subject: null, client: null };
  const what = { channel: 'sms', template: 'code-register' };
  t.deepEqual(await oneTold('message.delivered', {}, server), { ...told, ...GOOD, data: { ...what, attempts: 3 } });
  await post(server, message({ personId: 'psn_1' }));
  t.true(await until(async () => (await server.events('message.undelivered')).length === 1));
  t.deepEqual(await oneTold('message.undelivered', {}, server), {
    ...told,
    ...BAD,
    subject: 'psn_1',
    data: { ...what, attempts: 1, error: 'the gateway answered 400' },
  });
  t.is(received.length, 4);
});

test('G2 a gateway at an address nobody allowed is never called', async (t) => {
  const origin = await webServer(t, () => t.fail());
  const server = await startServer(t, {
    messenger: 'gateway',
    sms: { url: `${origin}/send`, keyId: 'k', key: KEY },
    outbox: { ...QUICK, attemptsMax: 1 },
  });
  await post(server, message());
  t.true(await until(async () => (await server.events('message.undelivered')).length === 1));
});

test('H5 number and code of a message lie sealed, and are gone once it is delivered', async (t) => {
  const { server, received } = await withGateway(t, [503]);
  await post(server, message());
  t.true(await until(() => received.length === 1));
  const { database } = server.house;
  const rows = async () => [
    ...(await database.all<{ sealed: Uint8Array }>('SELECT * FROM messages', [])),
    ...(await database.all('SELECT * FROM outbox', [])),
    ...(await database.all('SELECT * FROM counters', [])),
  ];
  const waiting = await rows();
  t.is(waiting.length, 2);
  const text = waiting.map((row) => JSON.stringify(row) + Buffer.from((row as { sealed?: Uint8Array }).sealed ?? []));
  for (const secret of [PHONE, '13912345678', '314159']) t.false(text.join().includes(secret), secret);
  t.true(await until(async () => (await server.events('message.delivered')).length === 1));
  t.is((await database.all('SELECT id FROM messages', [])).length, 0);
  for (const entry of await server.events()) t.false(JSON.stringify(entry).includes('314159'));
});

test.serial('a message that comes too late is dropped and told as undelivered', async (t) => {
  t.teardown(() => turnClock(0));
  const { server, received } = await withGateway(t, [503, 503]);
  await post(server, message({ lifetimeSeconds: 60 }));
  t.true(await until(() => received.length === 1));
  turnClock(61_000);
  t.true(await until(async () => (await server.events('message.undelivered')).length === 1));
  t.like((await server.events('message.undelivered'))[0], { data: { error: 'expired' } });
});

test('D17 messages are counted for number, account, network and house, each on its own', async (t) => {
  const server = await startServer(t, {
    messages: { perNumberHour: 2, perNumberDay: 3, perAccountDay: 4, perAddressDay: 5, perDay: 6 },
  });
  const { messageQuota: quota } = server.house.reaching;
  const ask = async (times: number, asked: (time: number) => Parameters<typeof quota.admit>[0]) => {
    const outcomes = [];
    for (let time = 0; time < times; time += 1) outcomes.push(await quota.admit(asked(time)));
    return outcomes;
  };
  t.deepEqual(await ask(3, () => ({ address: PHONE, account: 'a', network: 'n' })), ['admitted', 'admitted', 'number']);
  t.deepEqual(await ask(3, (time) => ({ address: `+861380000000${time}`, account: 'a', network: 'n' })), [
    'admitted',
    'admitted',
    'account',
  ]);
  t.deepEqual(await ask(2, (time) => ({ address: `+861390000000${time}`, network: 'n' })), ['admitted', 'network']);
  t.deepEqual(await ask(2, (time) => ({ address: `+861370000000${time}` })), ['admitted', 'house']);
});

test('D7 a hundred that ask at once are admitted as often as the quota says', async (t) => {
  const server = await startServer(t, { messages: { perNumberHour: 5, perNumberDay: 5 } });
  const { messageQuota: quota } = server.house.reaching;
  const outcomes = await Promise.all(Array.from({ length: 100 }, () => quota.admit({ address: PHONE })));
  t.is(outcomes.filter((outcome) => outcome === 'admitted').length, 5);
});

test('the mailbox of a demonstration shows what was sent, the newest first, and nothing of it is markup', async (t) => {
  const server = await startServer(t, { outbox: QUICK });
  await post(server, message());
  t.true(await until(async () => (await server.events('message.delivered')).length === 1));
  await post(server, message({ language: 'en', address: '+8613800000000', values: { code: '<b>', minutes: '5' } }));
  t.true(await until(async () => (await server.events('message.delivered')).length === 2));
  const page = await server.browser().get('/mailbox');
  t.is(page.status, 200);
  t.regex(page.text, /\+8613912345678[\s\S]*314159/);
  t.true(page.text.includes('Your code is &lt;b&gt;'));
  const { database } = server.house;
  const rows = await database.all<{ sealed: Uint8Array }>('SELECT sealed FROM mailbox', []);
  t.false(
    rows.some(({ sealed }) => Buffer.from(sealed).includes('314159')),
    'even a mailbox is sealed',
  );
});

test('H1 where messages go elsewhere there is no mailbox', async (t) => {
  const { server } = await withGateway(t);
  t.is((await server.browser().get('/mailbox')).status, 404);
});

test('D12 a person is told at every number they have verified, and on their account page', async (t) => {
  const server = await startServer(t, { outbox: QUICK });
  const { persons, identifiers, reaching, database } = server.house;
  const silent = await server.addPerson(LI);
  const added = await persons.add({
    idNumber: WANG.idNumber as never,
    name: WANG.name,
    ial: 2,
    origin: 'test',
    phone: '+8613700000000',
  });
  if (!added.ok) throw new Error(added.reason);
  const { id } = added.person;
  // What somebody only wrote down may be a stranger's; what they verified takes its place.
  await identifiers.bind(id, identifierOf('phone', PHONE), { origin: 'test', verifiedBy: 'one_time_code' });
  await database.write(async (tx) => {
    await reaching.notices.tell(tx, id, 'password-changed', {});
    await reaching.notices.tell(tx, silent, 'mandate-invited', { company: '云山建材' });
  });
  t.true(await until(async () => (await server.events('message.delivered')).length === 1));
  t.like(await oneTold('message.delivered', {}, server), {
    subject: id,
    data: { channel: 'sms', template: 'password-changed' },
  });
  const told = await allTold(server, 'person.notified');
  t.deepEqual(
    told.map(({ actor, subject, data }) => ({ actor, subject, data })),
    [
      { actor: 'system', subject: id, data: { notice: 'password-changed' } },
      { actor: 'system', subject: silent, data: { notice: 'mandate-invited' } },
    ],
  );
  t.regex((await server.browser().get('/mailbox')).text, /\+8613912345678[\s\S]*密码/);
});

test('D17 notices have a quota of their own, kept when they are delivered', async (t) => {
  const server = await startServer(t, { outbox: QUICK, messages: { noticesPerNumberDay: 2 } });
  const { reaching, database } = server.house;
  await database.write(async (tx) => {
    for (let time = 0; time < 4; time += 1)
      await reaching.notices.tellAt(tx, 'psn_1', { channel: 'sms', address: PHONE }, 'phone-left', {});
  });
  t.true(await until(async () => (await server.events('message.undelivered')).length === 2));
  t.true(await until(async () => (await server.events('message.delivered')).length === 2));
});

test('G8 whatever a value holds, a message stays one line of our words, without a link', (t) => {
  const hostile = messageValue('云山\r\n【银行】请点 \u202ehttps://evil.cn\u0000<script>');
  for (const mark of ['\r', '\n', '\u202e', '\u0000']) t.false(hostile.includes(mark));
  t.true(Array.from(messageValue('长'.repeat(1000))).length <= 64);
  const values = { code: '000000', minutes: '5', time: '12:00', company: 'C' };
  const names: readonly TemplateName[] = [
    'code-register',
    'code-recover',
    'code-bind',
    'code-second-factor',
    'code-counter',
    'password-changed',
    'phone-left',
    'email-left',
    'recovery-begun',
    'recovery-completed',
    'recovery-cancelled',
    'recovery-codes-made',
    'recovery-code-used',
    'factor-added',
    'factor-removed',
    'passkey-cloned',
    'level-fell',
    'mandate-invited',
    'mandate-ended',
    'mandate-changed',
    'post-changed',
    'company-stopped',
    'company-resumed',
    'claim-approved',
    'claim-rejected',
    'ward-grows-up',
  ];
  for (const language of MESSAGE_LANGUAGES) {
    for (const name of names) {
      const text = messageText(language, name, values);
      t.notRegex(text, /undefined|https?:|www\.|[\r\n]/, name);
      t.true(text.length > 10 && text.length < 320, `${language} ${name} ${text.length}`);
    }
  }
});
