import { createHash } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createNetServer } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Mood } from '../examples/registers/server.ts';
import { createSm2Verifier, sm2PublicKey } from '../src/crypto/sm2-software-signer.ts';
import { answerText, requestText } from '../src/proofing/register-message.ts';
import { SAMPLE_COMPANIES } from '../src/proofing/sample-companies.ts';
import {
  CHANGING_COMPANY,
  createSampleLegalPersonRegister,
  DEREGISTERED_COMPANY,
  UNAVAILABLE_USCC,
} from '../src/proofing/sample-legal-person-register.ts';
import { SAMPLE_PEOPLE, UNAVAILABLE_ID_NUMBER } from '../src/proofing/sample-population-register.ts';
import { Fault } from '../src/shared/fault.ts';
import { makeCertificates } from './support/feed-receivers.ts';
import { temporaryFolder } from './support/folders.ts';
import { listening, trap } from './support/listeners.ts';
import {
  DEFAULTS,
  type HttpRegisterSettings,
  OUR_KEY,
  opened,
  signedRegister,
  tlsRegister,
} from './support/registers.ts';

const [WANG, LI] = SAMPLE_PEOPLE as [(typeof SAMPLE_PEOPLE)[0], (typeof SAMPLE_PEOPLE)[0]];
const STRANGER = { ...WANG, name: LI.name };
const [COMPANY] = SAMPLE_COMPANIES as [(typeof SAMPLE_COMPANIES)[0]];

/** What both registers answer when all is well; the same over every kind of connection. */
async function answersLikeTheSample(t: ExecutionContext, settings: HttpRegisterSettings): Promise<void> {
  const { population, legalPersons } = opened(t, settings);
  t.is(await population.check(WANG), 'match');
  t.is(await population.check(STRANGER), 'mismatch');
  t.is(await population.check({ ...WANG, idNumber: UNAVAILABLE_ID_NUMBER }), 'unavailable');
  t.is(await legalPersons.check(COMPANY), 'match');
  t.is(await legalPersons.check({ ...COMPANY, representative: CHANGING_COMPANY.representative }), 'not_representative');
  t.is(await legalPersons.check({ ...COMPANY, name: '别的公司' }), 'mismatch');
  t.is(await legalPersons.check({ ...COMPANY, uscc: '11339900000000035W' }), 'unsupported');
  t.is(await legalPersons.check(DEREGISTERED_COMPANY), 'deregistered');
  t.is(await legalPersons.check({ ...COMPANY, uscc: UNAVAILABLE_USCC }), 'unavailable');
  const sample = createSampleLegalPersonRegister();
  for (const uscc of [COMPANY.uscc, DEREGISTERED_COMPANY.uscc, '91350100M000100Y43', UNAVAILABLE_USCC]) {
    t.deepEqual(await legalPersons.statusOf(uscc), await sample.statusOf(uscc), uscc);
  }
}

test.serial('a register that signs with SM2 answers like the sample behind it', async (t) => {
  const { settings } = await signedRegister(t);
  await answersLikeTheSample(t, settings);
});

test.serial('a register behind mutual TLS answers like the sample behind it', async (t) => {
  const { settings } = await tlsRegister(t);
  await answersLikeTheSample(t, settings);
});

const LIES: readonly (readonly [Mood, string])[] = [
  ['slow', 'timed_out'],
  ['silent', 'timed_out'],
  ['down', 'status'],
  ['unsigned', 'signature'],
  ['forged', 'signature'],
  ['skewed', 'clock'],
  ['mixed-up', 'other_request'],
  ['garbled', 'form'],
  ['oversized', 'body_too_large'],
  ['redirecting', 'redirected'],
];

for (const [mood, trouble] of LIES) {
  test.serial(`X12 a register that is ${mood} judges nobody: not the right name, and not the wrong one`, async (t) => {
    const { server, settings } = await signedRegister(t);
    const { population, legalPersons, readings } = opened(t, {
      ...settings,
      timeoutMs: trouble === 'timed_out' ? 400 : 20_000,
    });
    server.mood = mood;
    t.is(await population.check(WANG), 'unavailable');
    t.is(await population.check(STRANGER), 'unavailable');
    t.is(await legalPersons.check(COMPANY), 'unavailable');
    t.deepEqual(await legalPersons.statusOf(COMPANY.uscc), { state: 'unavailable' });
    t.like(readings()[0], { register: 'population', answers: {}, unanswered: { [trouble]: 2 } });
    t.like(readings()[1], { register: 'legal-persons', answers: {}, unanswered: { [trouble]: 2 } });
  });
}

test.serial('an answer recorded earlier is worth nothing: it is bound to its question', async (t) => {
  const { server, settings } = await signedRegister(t);
  const { population, readings } = opened(t, settings);
  t.is(await population.check(WANG), 'match');
  server.mood = 'repeating';
  t.is(await population.check(STRANGER), 'unavailable');
  t.is(await population.check(WANG), 'unavailable');
  t.like(readings()[0], { answers: { match: 1 }, unanswered: { signature: 2 } });
});

test.serial('a register with another key than the configured one is not believed', async (t) => {
  const { settings } = await signedRegister(t);
  const other = sm2PublicKey('33'.repeat(32)).toString('hex');
  const { population, readings } = opened(t, { ...settings, publicKey: other });
  t.is(await population.check(WANG), 'unavailable');
  t.deepEqual(readings()[0]?.unanswered, { signature: 1 });
});

test.serial(
  'the register lets nobody in who signs with another key, under another name, or twice with one nonce',
  async (t) => {
    const { server, settings } = await signedRegister(t);
    const wrongKey = join(temporaryFolder(t), 'sm2.key');
    writeFileSync(wrongKey, '44'.repeat(32), { mode: 0o600 });
    t.is(await opened(t, { ...settings, signingKeyFile: wrongKey }).population.check(WANG), 'unavailable');
    t.is(await opened(t, { ...settings, appId: 'somebody' }).population.check(WANG), 'unavailable');
    const recorded: { headers: Record<string, string>; body: string }[] = [];
    const relay = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const names = ['app', 'timestamp', 'nonce', 'signature'].map((name) => `x-register-${name}`);
      const headers = Object.fromEntries(names.map((name) => [name, String(request.headers[name])]));
      recorded.push({ headers, body: Buffer.concat(chunks).toString() });
      response.writeHead(503).end();
    });
    const url = `http://127.0.0.1:${await listening(t, relay)}`;
    t.is(await opened(t, { ...settings, url }).population.check(WANG), 'unavailable');
    const [{ headers, body }] = recorded as [{ headers: Record<string, string>; body: string }];
    const send = () => fetch(`${server.url}/persons/check`, { method: 'POST', headers, body });
    t.is((await send()).status, 200);
    t.deepEqual(await (await send()).json(), { error: 'repeated' });
  },
);

test.serial(
  'G2 the certificate of a register must come from the configured authority, and ours must be shown',
  async (t) => {
    const { settings, server } = await tlsRegister(t);
    const strange = temporaryFolder(t);
    makeCertificates(strange);
    const authorityFile = join(strange, 'ca.crt');
    const impostor = opened(t, { ...settings, authorityFile });
    t.is(await impostor.population.check(WANG), 'unavailable');
    const unknown = { certificateFile: join(strange, 'client.crt'), keyFile: join(strange, 'client.key') };
    t.is(await opened(t, { ...settings, ...unknown }).population.check(WANG), 'unavailable');
    t.is(server.asked(), 0, 'neither handshake let a question through');
    t.deepEqual(impostor.readings()[0]?.unanswered, { unreachable: 1 });
    t.is(await opened(t, settings).population.check(WANG), 'match');
  },
);

test.serial('G2 a redirect is not followed, wherever it leads', async (t) => {
  const { seen, port } = await trap(t, '127.0.0.1');
  const { settings } = await signedRegister(t);
  const server = createServer((_, response) => {
    response.writeHead(307, { location: `http://127.0.0.1:${port}/persons/check` }).end();
  });
  const url = `http://127.0.0.1:${await listening(t, server)}`;
  t.is(await opened(t, { ...settings, url }).population.check(WANG), 'unavailable');
  t.is(seen.connections, 0);
});

test.serial(
  'X3 a register that is dead costs a deadline for the first few, and nothing for those after them',
  async (t) => {
    const { server, settings } = await signedRegister(t);
    const quick = { timeoutMs: 1_500, circuitFailuresMax: 3, circuitOpenMs: 1_000, circuitTrials: 2 };
    const registers = opened(t, { ...settings, ...quick });
    const told: unknown[] = [];
    registers.listen({ circuit: (...words) => told.push(words), fault: (_, error) => t.fail(String(error)) });
    server.mood = 'silent';
    for (let times = 0; times < 3; times += 1) t.is(await registers.population.check(WANG), 'unavailable');
    const startedMs = performance.now();
    for (let times = 0; times < 50; times += 1) t.is(await registers.population.check(WANG), 'unavailable');
    t.true(performance.now() - startedMs < 1_500, 'fifty calls cost less than one deadline');
    t.is(server.asked(), 3);
    t.like(registers.readings()[0], { circuit: 'open', unanswered: { timed_out: 3, circuit_open: 50 } });
    t.is(registers.readings()[1]?.circuit, 'closed', 'the other register has a circuit of its own');

    server.mood = 'well';
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    const together = await Promise.all(Array.from({ length: 5 }, () => registers.population.check(WANG)));
    t.deepEqual(together.sort(), ['match', ...Array(4).fill('unavailable')], 'one at a time tries');
    t.is(await registers.population.check(WANG), 'match');
    t.deepEqual(
      await Promise.all(Array.from({ length: 5 }, () => registers.population.check(WANG))),
      Array(5).fill('match'),
    );
    t.deepEqual(told, [
      ['population', 'open', 'timed_out'],
      ['population', 'closed', undefined],
    ]);
  },
);

test.serial(
  'X6 a slow register takes no more than its places, and nobody waits longer for one than the deadline',
  async (t) => {
    const { server, settings } = await signedRegister(t, 600);
    const narrow = { inFlightMax: 2, queueMax: 2, queueDeadlineMs: 200 };
    const { population, readings } = opened(t, { ...settings, ...narrow });
    server.mood = 'slow';
    const startedMs = performance.now();
    const times: number[] = [];
    const answers = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const answer = await population.check(WANG);
        times.push(performance.now() - startedMs);
        return answer;
      }),
    );
    t.deepEqual([...answers].sort(), ['match', 'match', ...Array(6).fill('unavailable')]);
    t.is(server.asked(), 2);
    t.deepEqual(readings()[0]?.unanswered, { busy: 6 });
    t.true(
      times.slice(0, 6).every((ms) => ms < 500),
      times.join(),
    );
    t.is(readings()[0]?.circuit, 'closed', 'to be busy is no failure of the register');
  },
);

test.serial(
  'what is asked and answered is signed as the contract says, and in nothing else is there a name or a number',
  async (t) => {
    const { settings } = await signedRegister(t);
    const seen: { url: string; headers: NodeJS.Dict<string | string[]>; body: string }[] = [];
    const register = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      seen.push({ url: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString() });
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
    const url = `http://127.0.0.1:${await listening(t, register)}/adapter`;
    const registers = opened(t, { ...settings, url });
    await registers.population.check(WANG);
    await registers.legalPersons.check(COMPANY);
    const [person, company] = seen as [(typeof seen)[0], (typeof seen)[0]];
    const { requestId, ...question } = JSON.parse(person.body);
    t.deepEqual(question, { name: WANG.name, documentType: 'resident_id_card', issuer: 'CN', number: WANG.idNumber });
    t.is(person.url, '/adapter/persons/check');
    t.is(person.headers['x-register-nonce'], requestId);
    const lines = [
      'TONGBAN-REGISTER-REQUEST-1',
      'POST',
      '/adapter/persons/check',
      settings.appId,
      String(person.headers['x-register-timestamp']),
      requestId,
      createHash('sm3').update(person.body).digest('hex'),
    ];
    const signature = Buffer.from(String(person.headers['x-register-signature']), 'base64');
    t.true(createSm2Verifier(sm2PublicKey(OUR_KEY)).verify(Buffer.from(lines.join('\n')), signature));
    t.deepEqual(JSON.parse(company.body).representative, COMPANY.representative);
    const outside = seen.map(({ url: path, headers }) => path + JSON.stringify(headers)).join();
    for (const personal of [WANG.idNumber, encodeURIComponent(WANG.name), WANG.name, COMPANY.uscc]) {
      t.false(outside.includes(personal));
    }
    const told = JSON.stringify(registers.readings());
    t.false(told.includes(WANG.idNumber) || told.includes(WANG.name));
  },
);

test.serial('a request is never a valid answer, nor the answer to one status that to another', (t) => {
  const common = { appId: 'a', timestamp: '1700000000000', nonce: 'n', body: '{}' };
  const texts = [
    requestText({ ...common, path: '/p' }),
    answerText({ ...common, status: 200 }),
    answerText({ ...common, status: 201 }),
    answerText({ ...common, status: 200, nonce: 'm' }),
    answerText({ ...common, status: 200, body: '{ }' }),
  ].map(String);
  t.is(new Set(texts).size, texts.length);
  const empty = createHash('sm3').update('{}').digest('hex');
  t.is(texts[1], `TONGBAN-REGISTER-ANSWER-1\n200\na\n1700000000000\nn\n${empty}`);
});

test.serial('an answer in another form than the contract judges nobody', async (t) => {
  const { settings } = await tlsRegister(t);
  const folder = temporaryFolder(t);
  const read = makeCertificates(folder);
  let answer: (requestId: string) => unknown = () => ({});
  let contentType = 'application/json';
  const register = createHttpsServer(
    { cert: read('server.crt'), key: read('server.key') },
    async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { requestId } = JSON.parse(Buffer.concat(chunks).toString());
      response.writeHead(200, { 'content-type': contentType }).end(JSON.stringify(answer(requestId)));
    },
  );
  const url = `https://127.0.0.1:${await listening(t, register)}`;
  const { population, legalPersons } = opened(t, {
    ...settings,
    url,
    authorityFile: join(folder, 'ca.crt'),
    circuitFailuresMax: 100,
  });
  const digest = 'a'.repeat(64);
  const odd: readonly ((requestId: string) => unknown)[] = [
    () => null,
    () => [],
    () => 'match',
    (requestId) => ({ requestId }),
    (requestId) => ({ requestId, verdict: 'MATCH' }),
    (requestId) => ({ requestId, verdict: true }),
    (requestId) => ({ requestId, verdict: ['mismatch'] }),
    () => ({ verdict: 'mismatch' }),
    () => ({ requestId: 1, verdict: 'match' }),
    (requestId) => ({ requestId: `${requestId}x`, verdict: 'mismatch' }),
    (requestId) => ({ requestId, verdict: 'not_representative ' }),
    (requestId) => ({ requestId, standing: { state: 'gone' } }),
    (requestId) => ({ requestId, standing: { state: 'active', name: '', representativeDigest: digest } }),
    (requestId) => ({ requestId, standing: { state: 'active', name: 'n', representativeDigest: 'x' } }),
    (requestId) => ({ requestId, standing: { state: 'active', name: 'n' } }),
  ];
  for (const form of odd) {
    answer = form;
    t.is(await population.check(WANG), 'unavailable', form.toString());
    t.is(await legalPersons.check(COMPANY), 'unavailable', form.toString());
    t.deepEqual(await legalPersons.statusOf(COMPANY.uscc), { state: 'unavailable' }, form.toString());
  }
  answer = (requestId) => ({ requestId, verdict: 'mismatch', more: 'members are passed over' });
  t.is(await population.check(WANG), 'mismatch');
  contentType = 'text/html';
  t.is(await population.check(WANG), 'unavailable');
});

test.serial('X3 a connection that is taken and never spoken on ends with the deadline', async (t) => {
  const sockets: { destroy(): void }[] = [];
  const server = createNetServer((socket) => sockets.push(socket));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
  });
  const port = await listening(t, server);
  for (const settings of [(await signedRegister(t)).settings, (await tlsRegister(t)).settings]) {
    const scheme = settings.authentication === 'sm2' ? 'http' : 'https';
    const { population } = opened(t, { ...settings, url: `${scheme}://127.0.0.1:${port}`, timeoutMs: 300 });
    const startedMs = performance.now();
    t.is(await population.check(WANG), 'unavailable');
    t.true(performance.now() - startedMs < 10_000);
  }
});

test.serial('a key that others may read, a missing certificate and a key off the curve stop the start', async (t) => {
  const { settings } = await signedRegister(t);
  const open = (changes: Partial<HttpRegisterSettings>) => () => opened(t, { ...settings, ...changes });
  t.notThrows(open({}));
  t.throws(open({ publicKey: `04${'12'.repeat(64)}` }), { instanceOf: Fault, message: /curve/ });
  t.throws(open({ signingKeyFile: '/nowhere' }), { instanceOf: Fault, message: /key for the register population/ });
  t.throws(open({ authentication: 'mutual-tls' }), { instanceOf: Fault, message: /register population/ });
  chmodSync(settings.signingKeyFile, 0o644);
  t.throws(open({}), { instanceOf: Fault, message: /chmod 600/ });
  t.is(DEFAULTS.url, '');
});
