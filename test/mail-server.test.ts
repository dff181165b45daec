import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { DeliveryFailure } from '../src/delivery/delivery-failure.ts';
import { createMailServer, type MailServerSettings } from '../src/delivery/mail-server.ts';
import type { Message } from '../src/delivery/messenger.ts';
import { parseIdentifier } from '../src/people/identifiers/identifier.ts';
import { MAIL_PASSWORD, MAIL_USER, type MailReceiver, mailReceiver, readMail } from './support/mail-receiver.ts';
import { identifierOf } from './support/people.ts';
import { startServer, WANG } from './support/server.ts';
import { allTold, BAD, GOOD, NOWHERE } from './support/told-events.ts';
import { until } from './support/waiting.ts';

const NAMES = { nameZh: '通办', nameEn: 'Tongban ID' };
const TEXT = '验证码 314159，用于绑定联系方式。';
const FROM = '通办 <no-reply@id.example>';

const message = (over: Partial<Message> = {}): Message => ({
  id: 'msg_1',
  channel: 'email',
  address: 'zhang@example.cn',
  template: 'code-bind',
  values: {},
  text: TEXT,
  language: 'zh-CN',
  ...over,
});

const settings = (
  { port, authorityFile }: MailReceiver,
  over: Partial<MailServerSettings> = {},
): MailServerSettings => ({
  host: '127.0.0.1',
  port,
  security: 'tls',
  user: MAIL_USER,
  password: MAIL_PASSWORD,
  from: FROM,
  timeoutMs: 5000,
  authority: readFileSync(authorityFile, 'utf8'),
  ...over,
});

const send = (given: MailServerSettings, sent: Message = message(), signal = new AbortController().signal) =>
  createMailServer(given, NAMES).deliver(sent, signal);

async function failed(t: ExecutionContext, sending: Promise<void>): Promise<DeliveryFailure> {
  const error = await t.throwsAsync(sending, { instanceOf: DeliveryFailure });
  if (error === undefined) throw new Error('it was sent');
  t.false(error.message.includes('example.cn'), 'no address in what is kept');
  return error;
}

test('a message is a mail in plain text, under TLS and with our password', async (t) => {
  const receiver = await mailReceiver(t, { secure: true });
  await send(settings(receiver));
  await send(
    settings(receiver),
    message({ language: 'en', template: 'password-changed', text: 'The password was changed.' }),
  );
  const [code, notice] = receiver.mails;
  t.like(code, { from: 'no-reply@id.example', to: ['zhang@example.cn'], isEncrypted: true, user: MAIL_USER });
  const { subject, text, headers } = readMail(code!.raw);
  t.is(subject, '通办：您的验证码', 'the code is not in what a locked screen shows');
  t.is(text.trim(), TEXT);
  t.regex(headers, /^Message-ID: <msg_1@id\.example>$/m);
  t.regex(headers, /^Auto-Submitted: auto-generated$/m);
  t.regex(headers, /^Content-Type: text\/plain; charset=utf-8$/m);
  t.is(readMail(notice!.raw).subject, 'Tongban ID: about your account');
});

test('STARTTLS is demanded and not merely tried, and a certificate of somebody else is refused', async (t) => {
  const receiver = await mailReceiver(t, { secure: false });
  await send(settings(receiver, { security: 'starttls' }));
  t.like(receiver.mails, { length: 1, 0: { isEncrypted: true } });
  const open = await mailReceiver(t, { secure: false, disabledCommands: ['STARTTLS'], allowInsecureAuth: true });
  const stripped = await failed(t, send(settings(open, { security: 'starttls' })));
  t.false(stripped.permanent);
  const foreign = await failed(t, send(settings(receiver, { security: 'starttls', authority: undefined })));
  t.false(foreign.permanent);
  t.is(open.mails.length + receiver.mails.length, 1);
});

test('a mailbox that does not exist ends the attempts, a busy server and a wrong password do not', async (t) => {
  const receiver = await mailReceiver(t, { secure: true, answers: [550, 451] });
  const unknown = await failed(t, send(settings(receiver)));
  t.true(unknown.permanent);
  t.is(unknown.message, 'the mail server answered 550');
  const busy = await failed(t, send(settings(receiver)));
  t.false(busy.permanent);
  const refused = await failed(t, send(settings(receiver, { password: 'wrong' })));
  t.false(refused.permanent);
  t.is(receiver.mails.length, 0);
});

test('X3 a mail server that says nothing is given up, and one that is not there as well', async (t) => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const { port } = silent.address() as { port: number };
  const given: MailServerSettings = {
    host: '127.0.0.1',
    port,
    security: 'none',
    user: '',
    password: '',
    from: FROM,
    timeoutMs: 300,
  };
  t.false((await failed(t, send(given))).permanent);
  const abort = new AbortController();
  const waiting = send({ ...given, timeoutMs: 60_000 }, message(), abort.signal);
  abort.abort();
  t.false((await failed(t, waiting)).permanent);
  silent.close();
  for (const socket of sockets) socket.destroy();
  await once(silent, 'close');
  t.false((await failed(t, send(given))).permanent);
});

test('V28 no address writes a header, a second recipient or a command', async (t) => {
  const receiver = await mailReceiver(t, { secure: true });
  const hostile = [
    'zhang@example.cn\r\nBcc: evil@evil.cn',
    'zhang@example.cn\nRCPT TO:<evil@evil.cn>',
    'zhang@example.cn\r\n.\r\nMAIL FROM:<a@b.cn>',
    '"zhang\r\nBcc: evil@evil.cn"@example.cn',
    '"zhang@evil.cn>,<x"@example.cn',
    'zhang@example.cn, evil@evil.cn',
    'evil@evil.cn;zhang@example.cn',
    'Zhang <evil@evil.cn>',
    'zhang@example.cn>\u0000<evil@evil.cn',
    'zhang@@example.cn',
    'zhang',
    '',
  ];
  for (const address of hostile) {
    t.false(parseIdentifier('email', address).ok, `bound: ${JSON.stringify(address)}`);
    t.true((await failed(t, send(settings(receiver), message({ address })))).permanent, JSON.stringify(address));
  }
  t.is(receiver.attempts(), 0, 'the server has not heard of any');
  await send(settings(receiver), message({ text: `${TEXT}\r\n.\r\nRCPT TO:<evil@evil.cn>\r\nBcc: evil@evil.cn` }));
  t.like(receiver.mails, { length: 1, 0: { to: ['zhang@example.cn'] } });
  t.false(/^bcc:/im.test(readMail(receiver.mails[0]!.raw).headers));
});

test('mail leaves beside the SMS gateway through the outbox, is tried again, and its outcome is an event', async (t) => {
  const answers = [451];
  const receiver = await mailReceiver(t, { secure: true, answers });
  const server = await startServer(t, {
    messenger: 'gateway',
    sms: { url: 'http://127.0.0.1:9/sms', keyId: 'province', key: 'a key the gateway and we share' },
    smtp: {
      host: 'localhost',
      port: receiver.port,
      user: MAIL_USER,
      password: MAIL_PASSWORD,
      from: FROM,
      authorityFile: receiver.authorityFile,
    },
    outbox: { pollIntervalMs: 50, firstDelaySeconds: 1, attemptsMax: 3 },
  });
  const { house } = server;
  t.true(house.reaching.messages.reaches('email') && house.reaching.messages.reaches('sms'));
  const wang = await server.addPerson(WANG);
  const email = identifierOf('email', 'zhang@example.cn');
  await house.identifiers.bind(wang, email, { origin: 'test', verifiedBy: 'test' });
  const tell = () => house.database.write((tx) => house.reaching.notices.tell(tx, wang, 'password-changed', {}));
  await tell();
  t.true(await until(async () => (await server.events('message.delivered')).length === 1));
  const outcome = { ...NOWHERE, actor: 'system', subject: wang };
  t.like((await allTold(server, 'message.delivered'))[0], {
    ...outcome,
    ...GOOD,
    data: { channel: 'email', template: 'password-changed', attempts: 2 },
  });
  answers.push(550);
  await tell();
  t.true(await until(async () => (await server.events('message.undelivered')).length === 1));
  t.like((await allTold(server, 'message.undelivered'))[0], {
    ...outcome,
    ...BAD,
    data: { channel: 'email', attempts: 1, error: 'the mail server answered 550' },
  });
  t.is(receiver.mails.length, 1);
  t.true(readMail(receiver.mails[0]!.raw).text.includes('密码'));
});
