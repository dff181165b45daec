import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { readSm2Certificate } from '../src/crypto/x509/certificate.ts';
import { pemBlocks } from '../src/crypto/x509/pem.ts';
import { readRevocationList } from '../src/crypto/x509/revocation-list.ts';
import { nowSeconds, turnClock } from '../src/shared/clock.ts';
import {
  authority,
  bindCertificate as bind,
  CERTIFY,
  DAY,
  certificateHouse as house,
  LIST,
  listOf,
  period,
  personal,
  giveCertificate as signIn,
  textOn,
} from './support/certificate-house.ts';
import {
  answerOf,
  freshKey,
  type MadeCertificate,
  makeCertificate,
  makeRevocationList,
} from './support/certificate-maker.ts';
import { temporaryFolder } from './support/folders.ts';
import type { Page } from './support/http-client.ts';
import { ROOMY } from './support/portal-calls.ts';
import { authorizationPath, LI, startServer, type TestServer, WANG } from './support/server.ts';

const BIND = '/account/methods/certificate';

test.afterEach.always(() => turnClock(0));

const isIn = (page: Page): boolean => page.status === 303 && !page.location?.includes('error');
const reasons = async (server: TestServer) => (await server.events('sign-in.refused')).map(({ data }) => data.reason);

test.serial('D18 a certificate is bound by its key after a fresh proof, and signs in from then on', async (t) => {
  const root = authority();
  const mine = personal(root);
  const { server, browser, wang, atSignIn } = await house(t, [root], listOf(root));
  t.is((await bind(browser, mine)).location, `${server.issuer}/account/methods?done=certificate`);
  t.like((await server.events('factor.bound'))[0], { subject: wang, data: { kind: 'certificate' } });
  t.true(isIn(await signIn(await atSignIn(), mine)));
  const [, event] = await server.events('sign-in.succeeded');
  t.like(event, { subject: wang, data: { amr: ['hwk'] } });
});

test.serial('D18 chain, validity, usage and revocation are judged at every sign-in', async (t) => {
  const root = authority();
  const shut = authority({ subject: 'No certificates', usage: [LIST] });
  const aged = authority({ subject: 'Aged', ...period(-2 * DAY, -DAY) });
  const short = authority({ subject: 'Short', authority: { pathLength: 0 } });
  const below = authority({ subject: 'Below' }, short);
  const silent = authority({ subject: 'Silent' });
  const plain = makeCertificate({ subject: 'Plain', ...period(), usage: [CERTIFY, LIST] });
  const all = [root, shut, aged, short, below, silent, plain];
  const lists = [...[shut, aged, short, below, plain].map((one) => listOf(one)), listOf(root, [77])].join('');
  const { server, atSignIn } = await house(t, all, lists);
  const forged = authority();
  const cases: readonly (readonly [string, MadeCertificate])[] = [
    ['unknown', personal(root)],
    ['issuer', personal(forged)],
    ['issuer', personal(root, { signer: freshKey() })],
    ['validity', personal(root, period(-2 * DAY, -1))],
    ['validity', personal(root, period(DAY, 2 * DAY))],
    ['usage', personal(root, { usage: [CERTIFY] })],
    ['usage', personal(root, { usage: undefined })],
    ['usage', personal(root, { purpose: '1.3.6.1.5.5.7.3.1' })],
    ['usage', personal(root, { authority: {} })],
    ['form', personal(root, { critical: '1.2.3.4' })],
    ['form', personal(root, { algorithm: '1.2.840.10045.4.3.2' })],
    ['chain', personal(shut)],
    ['chain', personal(aged)],
    ['chain', personal(below)],
    ['chain', personal(plain)],
    ['list', personal(silent)],
    ['revoked', personal(root, { serial: 77 })],
  ];
  const pages: Page[] = [];
  for (const [, certificate] of cases) pages.push(await signIn(await atSignIn(), certificate));
  t.deepEqual(
    await reasons(server),
    cases.map(([reason]) => reason),
  );
  t.true(pages.every(({ status }) => status === 401));
  t.is(new Set(pages.map(({ text }) => /class="problem"[\s\S]*?<\/div>/.exec(text)?.[0])).size, 1, 'D9 one answer');
});

test.serial(
  'D18 a list that is put in place later shuts a certificate out; one that is over or forged says nothing',
  async (t) => {
    const root = authority();
    const mine = personal(root, { serial: 42 });
    const { server, browser, listFile, atSignIn } = await house(t, [root], listOf(root));
    await bind(browser, mine);
    t.true(isIn(await signIn(await atSignIn(), mine)));
    const now = nowSeconds();
    const later: readonly (readonly [string, string])[] = [
      ['revoked', listOf(root, [41, 42])],
      ['list', makeRevocationList(root, { serials: [], from: now - 2 * DAY, to: now - DAY })],
      ['list', makeRevocationList(root, { serials: [], from: now - DAY, to: now + DAY, signer: freshKey() })],
      ['list', ''],
    ];
    for (const [at, [, list]] of later.entries()) {
      writeFileSync(listFile, list);
      turnClock((at + 1) * 31_000);
      t.is((await signIn(await atSignIn(), mine)).status, 401);
    }
    t.deepEqual(
      await reasons(server),
      later.map(([reason]) => reason),
    );
  },
);

test.serial(
  'D14 D18 what a key has signed is good once, for one sign-in, in one browser, in time, and here alone',
  async (t) => {
    const root = authority();
    const mine = personal(root);
    const { server, browser, atSignIn } = await house(t, [root], listOf(root));
    await bind(browser, mine);
    const first = await atSignIn();
    const answer = answerOf(mine, textOn(first.page));
    const challenge = /name="challenge" value="([^"]+)"/.exec(first.page.text)?.[1] ?? '';
    const other = await atSignIn();
    t.is((await other.submit({ answer, challenge }, '/certificate')).status, 401, 'in another browser');
    const text = textOn((await atSignIn()).page);
    t.regex(text, new RegExp(`^tongban-id certificate\n${server.issuer}\n[\\w-]{70}$`));
    const elsewhere = await atSignIn();
    const wrong = answerOf(mine, textOn(elsewhere.page).replace(server.issuer, 'https://evil.example'));
    t.is((await elsewhere.submit({ answer: wrong }, '/certificate')).status, 401, 'signed for another house');
    t.is((await signIn(await atSignIn(), mine, freshKey())).status, 401, 'signed by another key');
    const late = await atSignIn();
    turnClock(601_000);
    t.is((await signIn(late, mine)).status, 401);
    turnClock(0);
    t.deepEqual(await reasons(server), ['challenge', 'signature', 'signature', 'expired']);
    const token = /name="form_token" value="([^"]+)"/.exec(first.page.text)?.[1] ?? '';
    const { pathname } = new URL(first.page.url);
    const pages = await Promise.all(
      Array.from({ length: 6 }, () => first.post(pathname, { form_token: token, challenge, answer })),
    );
    t.is(pages.filter(isIn).length, 1, 'of six at once');
  },
);

test.serial('D18 a certificate belongs to one account, whoever else holds it', async (t) => {
  const root = authority();
  const mine = personal(root);
  const { server, browser } = await house(t, [root], listOf(root));
  await bind(browser, mine);
  await server.addPerson(LI);
  const other = server.browser();
  await server.signIn(other, await server.addPortal(), { identifier: LI.idNumber });
  t.is((await bind(other, mine)).status, 409);
  t.is((await bind(other, personal(authority()))).status, 400);
  t.is((await server.events('factor.bound')).length, 1);
});

test.serial('D18 where no authority is known there is nothing to sign in with', async (t) => {
  const server = await startServer(t, ROOMY);
  const portal = await server.addPortal();
  const browser = server.browser();
  await browser.get(authorizationPath(portal));
  const { url, text } = await browser.follow();
  t.false(text.includes('/certificate"'));
  t.is((await browser.get(`${new URL(url).pathname}/certificate`)).status, 404);
});

test('V59 a certificate counts in its one DER form alone; cut, grown and bent ones are none', (t) => {
  const root = authority();
  const { der } = personal(root);
  const good = readSm2Certificate(der);
  t.truthy(good);
  let read = 0;
  for (let at = 0; at < der.length; at += 1) {
    t.is(readSm2Certificate(der.subarray(0, at)), undefined);
    const bent = Buffer.from(der);
    bent[at]! ^= 0x01;
    const other = readSm2Certificate(bent);
    if (other?.fingerprint === good?.fingerprint) read += 1;
  }
  t.true(read < 100, 'a change outside of what is signed touches the signature alone');
  t.is(readSm2Certificate(Buffer.concat([der, Buffer.of(0)])), undefined);
  const long = Buffer.concat([Buffer.of(0x30, 0x83, 0, der.length >> 8, der.length & 255), der.subarray(4)]);
  t.is(readSm2Certificate(long), undefined, 'a length that could be shorter');
  t.is(readSm2Certificate(Buffer.alloc(0)), undefined);
});

const openssl = (() => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

(openssl ? test.serial : test.serial.skip)(
  'D18 the demonstration certificate that OpenSSL makes is read, signs by the script beside it, and opens the account',
  async (t) => {
    const folder = temporaryFolder(t);
    const script = (name: string) => new URL(`../examples/certificate/${name}`, import.meta.url).pathname;
    execFileSync(script('make.sh'), [folder], { stdio: 'ignore' });
    const read = (name: string) => readFileSync(join(folder, name), 'utf8');
    const [root] = pemBlocks(read('authority.pem'), 'CERTIFICATE').map(readSm2Certificate);
    t.like(root, { isAuthority: true, pathLength: 0 });
    t.truthy(pemBlocks(read('revoked.pem'), 'X509 CRL').map(readRevocationList)[0]);
    const certificates = {
      authorityFiles: [join(folder, 'authority.pem')],
      revocationFiles: [join(folder, 'revoked.pem')],
      keys: 'software',
    } as const;
    const server = await startServer(t, { ...ROOMY, certificates });
    await server.addPerson(WANG);
    const browser = server.browser();
    await server.signIn(browser, await server.addPortal());
    const page = await browser.get(BIND);
    const answer = execFileSync(script('sign.sh'), [join(folder, 'person.key'), join(folder, 'person.pem')], {
      input: `${textOn(page)}\n`,
      encoding: 'utf8',
    });
    t.is((await browser.submit({ answer }, BIND)).location, `${server.issuer}/account/methods?done=certificate`);
  },
);
