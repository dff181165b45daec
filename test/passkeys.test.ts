import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { turnClock } from '../src/shared/clock.ts';
import { codeFor, codesFor, enrolToPassword, freshPhone } from './support/enrolment.ts';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { webServer } from './support/listeners.ts';
import { type MakerCertificate, makerCertificate } from './support/maker-certificate.ts';
import { ROOMY } from './support/portal-calls.ts';
import {
  authorizationPath,
  LI,
  PASSWORD,
  startServer,
  type TestPortal,
  type TestServer,
  WANG,
} from './support/server.ts';
import {
  type Authenticator,
  createAuthenticator,
  type Kind,
  type Oddity,
  optionsIn,
} from './support/webauthn-device.ts';

const ENROL = '/account/methods/passkey';

test.afterEach.always(() => turnClock(0));

interface Scene {
  readonly server: TestServer;
  readonly portal: TestPortal;
  readonly wang: string;
  readonly browser: HttpBrowser;
}

/** Somebody who has just signed in with their password. */
async function signedIn(t: ExecutionContext, overrides: Parameters<typeof startServer>[1] = {}): Promise<Scene> {
  const server = await startServer(t, { ...ROOMY, ...overrides });
  const [wang, portal] = [await server.addPerson(WANG), await server.addPortal()];
  const browser = server.browser();
  await server.signIn(browser, portal);
  return { server, portal, wang, browser };
}

async function enrolPasskey(browser: HttpBrowser, device: Authenticator, oddity: Oddity = {}): Promise<Page> {
  const page = await browser.get(ENROL);
  return browser.submit({ ...device.create(optionsIn(page.text, ENROL), oddity), label: '我的手机' }, ENROL);
}

/** Somebody with a passkey. */
async function withPasskey(t: ExecutionContext, kind: Kind = {}, overrides: Parameters<typeof startServer>[1] = {}) {
  const scene = await signedIn(t, overrides);
  const device = createAuthenticator(scene.server.issuer, kind);
  const page = await enrolPasskey(scene.browser, device);
  t.is(page.location, `${scene.server.issuer}/account/methods?done=passkey`);
  return { ...scene, device };
}

async function atSignIn({ server, portal }: Scene, browser = server.browser()): Promise<HttpBrowser> {
  await browser.get(authorizationPath(portal));
  await browser.follow();
  return browser;
}

const answer = (browser: HttpBrowser, device: Authenticator, oddity: Oddity = {}): Promise<Page> =>
  browser.submit(device.get(optionsIn(browser.page.text, '/passkey'), oddity), '/passkey');

const isIn = (page: Page): boolean => page.status === 303 && !page.location?.includes('error');

const reasons = async ({ server }: Scene): Promise<readonly unknown[]> =>
  (await server.events('sign-in.refused')).map(({ data }) => data.reason);

test.serial(
  'D14 a passkey is added after a fresh proof, signs in without a name or a password, and says how',
  async (t) => {
    const scene = await withPasskey(t);
    const { server, device, wang } = scene;
    const browser = await atSignIn(scene);
    const options = JSON.parse(optionsIn(browser.page.text, '/passkey'));
    t.deepEqual(options.allowCredentials, [], 'D9 the page names nobody');
    t.is(options.userVerification, 'required');
    t.true(isIn(await answer(browser, device)));
    const [, event] = await server.events('sign-in.succeeded');
    t.like(event, { subject: wang, data: { amr: ['hwk', 'user', 'mfa'], device: 'new' } });
    t.like((await server.events('factor.bound'))[0], { subject: wang, data: { kind: 'passkey', origin: 'account' } });
    const notices = (await server.events('person.notified')).map(({ data }) => data.notice);
    t.true(notices.includes('sign-in-changed'));
  },
);

test.serial('B8 a passkey that may be copied between devices is told as a software key', async (t) => {
  const scene = await withPasskey(t, { synced: true, counts: false });
  t.true(isIn(await answer(await atSignIn(scene), scene.device)));
  t.true(
    isIn(await answer(await atSignIn(scene), scene.device)),
    'a device without a counter signs in again and again',
  );
  const events = await scene.server.events('sign-in.succeeded');
  t.deepEqual(events.at(-1)?.data.amr, ['swk', 'user', 'mfa']);
});

const WRONG: readonly (readonly [string, Oddity])[] = [
  ['another origin', { origin: 'https://tongban.example.evil' }],
  ['another relying party', { rpId: 'evil.example' }],
  ['another type', { type: 'webauthn.create' }],
  ['no verification', { verified: false }],
  ['nobody present', { present: false, verified: false }],
  ['a page within another', { crossOrigin: true }],
  ['another challenge', { challenge: 'A'.repeat(70) }],
  ['another handle', { userHandle: 'AAAA' }],
  ['no handle', { userHandle: '' }],
  ['a signature of nothing', { signature: 'MEUCIQDx' }],
  ['an unknown credential', { credential: 'bm9ib2R5' }],
];

test.serial(
  'V14 D14 origin, relying party, type, challenge, presence and verification are each checked on the server',
  async (t) => {
    const scene = await withPasskey(t);
    const pages: Page[] = [];
    for (const [name, oddity] of WRONG) {
      const page = await answer(await atSignIn(scene), scene.device, oddity);
      t.is(page.status, 401, name);
      pages.push(page);
    }
    t.is((await reasons(scene)).length, WRONG.length);
    t.is(new Set(pages.map(({ text }) => /class="problem"[\s\S]*?<\/div>/.exec(text)?.[0])).size, 1, 'D9 one answer');
    t.true(isIn(await answer(await atSignIn(scene), scene.device)), 'and the right one still signs in');
  },
);

test.serial(
  'D14 V53 a challenge is answered once, in the browser and the sign-in it was shown for, and in time',
  async (t) => {
    const scene = await withPasskey(t);
    const { server, device } = scene;
    const browser = await atSignIn(scene);
    const signed = device.get(optionsIn(browser.page.text, '/passkey'));
    const stranger = await atSignIn(scene);
    t.is((await stranger.submit(signed, '/passkey')).status, 401, 'another browser');
    const second = await atSignIn(scene, browser);
    t.is((await second.submit(signed, '/passkey')).status, 401, 'another sign-in of the same browser');

    const late = await atSignIn(scene);
    const options = optionsIn(late.page.text, '/passkey');
    turnClock(601_000);
    const page = await late.submit(device.get(options), '/passkey');
    t.is(page.status, 401);
    t.true(page.text.includes('停留时间过长'));
    turnClock(0);
    t.deepEqual(await reasons(scene), ['challenge', 'challenge', 'expired']);

    const once = await atSignIn(scene);
    const answers = device.get(optionsIn(once.page.text, '/passkey'));
    const form = once.page;
    const results: Page[] = [];
    for (const _ of [1, 2]) {
      const token = /name="form_token" value="([^"]+)"/.exec(form.text)?.[1] ?? '';
      const action = /action="([^"]+\/passkey)"/.exec(form.text)?.[1] ?? '';
      results.push(await once.post(action, { ...answers, form_token: token }));
    }
    t.true(isIn(results[0]!));
    t.false(isIn(results[1]!), 'the very answer a second time');
    t.is((await server.events('sign-in.succeeded')).length, 2);
  },
);

test.serial('D14 of one answer sent many times at once, one signs in', async (t) => {
  const scene = await withPasskey(t, { counts: false });
  const browser = await atSignIn(scene);
  const { text } = browser.page;
  const fields = {
    ...scene.device.get(optionsIn(text, '/passkey')),
    form_token: /name="form_token" value="([^"]+)"/.exec(text)?.[1] ?? '',
  };
  const action = /action="([^"]+\/passkey)"/.exec(text)?.[1] ?? '';
  const pages = await Promise.all(Array.from({ length: 10 }, () => browser.post(action, fields)));
  t.is(pages.filter(isIn).length, 1);
});

test.serial('D14 a copied authenticator is refused, recorded and told, and the counter never goes back', async (t) => {
  const scene = await withPasskey(t);
  const { server, device, wang } = scene;
  const copy = device.clone();
  t.true(isIn(await answer(await atSignIn(scene), device)));
  t.true(isIn(await answer(await atSignIn(scene), device)));
  t.is((await answer(await atSignIn(scene), copy)).status, 401);
  t.like((await server.events('factor.cloned'))[0], { subject: wang, actor: 'anonymous', data: { kind: 'passkey' } });
  t.deepEqual(await reasons(scene), ['cloned']);
  t.true((await server.events('person.notified')).some(({ data }) => data.notice === 'passkey-cloned'));
  const forged = await answer(await atSignIn(scene), copy, { counter: 1, signature: 'MEUCIQDx' });
  t.is(forged.status, 401);
  t.is((await server.events('factor.cloned')).length, 1, 'only who holds the key raises the alarm');
});

test.serial('D8 wrong answers of a passkey are limited and never shut the password out', async (t) => {
  const scene = await withPasskey(t, {}, { limits: { failuresPerAccount: 3, failuresPerAddress: 1000 } });
  for (let at = 0; at < 5; at += 1) await answer(await atSignIn(scene), scene.device, { verified: false });
  t.deepEqual((await reasons(scene)).slice(3), ['locked', 'locked']);
  t.is((await answer(await atSignIn(scene), scene.device)).status, 401, 'the right one waits as well');
  const browser = await atSignIn(scene);
  t.true(isIn(await browser.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify')));
});

test.serial(
  'D8 somebody who signs in by a passkey again and again, in a browser of theirs, is never told to wait',
  async (t) => {
    const limits = { failuresPerAccount: 3, failuresPerAddress: 4, failuresPerNetwork: 4 };
    const scene = await withPasskey(t, { counts: false }, { limits });
    for (let at = 0; at < 6; at += 1) {
      scene.browser.forgetCookies('tongban');
      t.true(isIn(await answer(await atSignIn(scene, scene.browser), scene.device)), `time ${at + 1}`);
    }
    t.like((await scene.server.events('sign-in.succeeded')).at(-1), { data: { device: 'known' } });
    t.deepEqual(await reasons(scene), []);
  },
);

test.serial('F2 V42 a passkey of a disabled account opens nothing, and the answer does not say why', async (t) => {
  const scene = await withPasskey(t);
  await scene.server.house.persons.disable(scene.wang, 'test');
  const page = await answer(await atSignIn(scene), scene.device);
  t.is(page.status, 401);
  t.deepEqual(await reasons(scene), ['disabled']);
});

test.serial(
  'D15 V12 a passkey is added only after a fresh proof, by whoever is signed in, once, and to one account',
  async (t) => {
    const scene = await signedIn(t);
    const { server, browser } = scene;
    const device = createAuthenticator(server.issuer);
    const options = optionsIn((await browser.get(ENROL)).text, ENROL);
    const fields = device.create(options);
    turnClock(400_000);
    t.true((await browser.submit({ ...fields, label: '' }, ENROL)).text.includes('name="password"'), 'an old proof');
    turnClock(0);
    await browser.get(ENROL);
    t.is((await browser.submit({ ...fields, label: '' }, ENROL)).status, 303);
    await browser.get(ENROL);
    t.is((await browser.submit({ ...fields, label: '' }, ENROL)).status, 400, 'the challenge is spent');

    await server.addPerson(LI);
    const other = server.browser();
    await server.signIn(other, scene.portal, { identifier: LI.idNumber });
    t.is((await enrolPasskey(other, device)).status, 409, 'a passkey of somebody else');
    await browser.get(ENROL);
    t.is(
      (await browser.submit({ ...createAuthenticator(server.issuer).create(options), label: '' }, ENROL)).status,
      400,
    );
    t.is((await server.events('factor.bound')).length, 1);
  },
);

test.serial('V14 a new passkey of another origin, relying party or unverified device is not taken', async (t) => {
  const { server, browser } = await signedIn(t);
  const oddities: Oddity[] = [
    { origin: 'https://evil.example' },
    { rpId: 'evil.example' },
    { type: 'webauthn.get' },
    { verified: false },
    { challenge: 'A'.repeat(70) },
    { crossOrigin: true },
    { credential: 'b3RoZXI' },
  ];
  for (const oddity of oddities) {
    const page = await enrolPasskey(browser, createAuthenticator(server.issuer), oddity);
    t.is(page.status, 400, JSON.stringify(oddity));
  }
  t.is((await server.events('factor.bound')).length, 0);
});

/** A house that takes devices of one maker alone. */
async function madeBy(
  t: ExecutionContext,
  roots: readonly MakerCertificate[],
  more: { allowedAaguids?: string[] } = {},
) {
  const file = join(await mkdtemp(join(tmpdir(), 'tongban-makers-')), 'root.pem');
  t.teardown(() => rm(dirname(file), { recursive: true }));
  const files = roots.map((_root, at) => `${file}.${at}`);
  for (const [at, { pem }] of roots.entries()) await writeFile(files[at]!, pem);
  return signedIn(t, { passkeys: { attestation: 'direct', attestationRootFiles: files, ...more } });
}

const reasonsOf = async (server: TestServer): Promise<readonly unknown[]> =>
  (await server.events('factor.refused')).map(({ data }) => data.reason);

test.serial(
  'D14 where makers must sign for their devices, one that leads to a root we know is taken, no other',
  async (t) => {
    const root = makerCertificate({ name: 'Root', authority: true });
    const between = makerCertificate({ name: 'Between', authority: true }, root);
    const other = makerCertificate({ name: 'Other', authority: true });
    const { server, browser } = await madeBy(t, [makerCertificate({ name: 'First', authority: true }), root]);
    const options = JSON.parse(optionsIn((await browser.get(ENROL)).text, ENROL));
    t.is(options.attestation, 'direct');
    const offer = (attestation: Kind['attestation']) =>
      enrolPasskey(browser, createAuthenticator(server.issuer, attestation === undefined ? {} : { attestation }));
    const device = (issuer: MakerCertificate, chain: readonly MakerCertificate[], wishes = {}) => {
      const own = makerCertificate({ name: 'Device', ...wishes }, issuer);
      return { chain: [own, ...chain].map(({ der }) => der), key: own.key };
    };
    const stranger = makerCertificate({ name: 'Between', authority: true }, other);
    const noAuthority = makerCertificate({ name: 'No authority' }, root);
    const namesake = makerCertificate({ name: 'Root', authority: true });
    for (const [what, attestation] of [
      ['says nothing', 'none'],
      ['signs for itself', 'self'],
      ['of another maker', device(other, [])],
      ['of another maker, with our root shown beside it', device(other, [root])],
      ['of another maker, by way of theirs', device(stranger, [stranger, other])],
      ['of a root that is called like ours', device(namesake, [])],
      ['signed by somebody else in the name of ours', device(root, [], { signer: other.key })],
      ['of one who may sign for nobody', device(noAuthority, [noAuthority])],
      ['without the maker between', device(between, [])],
      ['by a maker whose time is over', device(root, [], { to: 1_710_000_000 })],
      ['that signs with another key', { ...device(root, []), key: other.key }],
    ] as const) {
      const refused = await offer(attestation);
      t.is(refused.status, 400, what);
    }
    t.is((await server.events('factor.bound')).length, 0);
    for (const [what, attestation] of [
      ['of our root', device(root, [])],
      ['by way of a maker between', device(between, [between])],
      ['with the root shown as well', device(between, [between, root])],
    ] as const)
      t.is((await offer(attestation)).location, `${server.issuer}/account/methods?done=passkey`, what);
    t.is((await server.events('factor.bound')).length, 3);
  },
);

test.serial('D14 of a maker we know, only models that are named are taken', async (t) => {
  const root = makerCertificate({ name: 'Root', authority: true });
  const own = makerCertificate({ name: 'Device' }, root);
  const attestation = { chain: [own.der], key: own.key };
  const model = '07070707-0707-0707-0707-070707070707';
  const { server, browser } = await madeBy(t, [root], { allowedAaguids: ['01010101-0101-0101-0101-010101010101'] });
  t.is((await enrolPasskey(browser, createAuthenticator(server.issuer, { attestation }))).status, 403);
  t.deepEqual(await reasonsOf(server), ['model']);
  const named = await madeBy(t, [root], { allowedAaguids: [model] });
  t.is((await enrolPasskey(named.browser, createAuthenticator(named.server.issuer, { attestation }))).status, 303);
});

test.serial('G2 V16 H7 a certificate of a device makes us ask nobody for its list', async (t) => {
  let asked = 0;
  const trap = await webServer(t, (_request, response) => {
    asked += 1;
    response.end();
  });
  const root = makerCertificate({ name: 'Root', authority: true });
  const own = makerCertificate({ name: 'Device', revocationsAt: `${trap}/list.crl` }, root);
  const { server, browser } = await madeBy(t, [root]);
  const attestation = { chain: [own.der], key: own.key };
  t.is((await enrolPasskey(browser, createAuthenticator(server.issuer, { attestation }))).status, 303);
  t.is(asked, 0);
});

test.serial(
  'D13 D15 an account with a passkey alone is whole: it is opened, signs in, proves itself afresh, and gets a password',
  async (t) => {
    const server = await startServer(t, ROOMY);
    const portal = await server.addPortal();
    const browser = server.browser();
    const page = await enrolToPassword(browser, { idNumber: WANG.idNumber, name: WANG.name });
    const device = createAuthenticator(server.issuer);
    const opened = await browser.submit(device.create(optionsIn(page.text, '/register/passkey')), '/register/passkey');
    t.is(opened.status, 201, opened.text.slice(0, 300));
    t.like((await server.events('factor.bound'))[0], { data: { kind: 'passkey', origin: 'registration' } });
    t.is((await server.events('password.changed')).length, 0);

    const scene = { server, portal, wang: '', browser };
    const own = await atSignIn(scene, server.browser());
    t.true(isIn(await answer(own, device)));
    await own.follow((url) => url.origin !== server.issuer);
    turnClock(400_000);
    const prove = await own.get('/account/prove?next=%2Faccount%2Fmethods%2Fpassword');
    t.false(prove.text.includes('name="password"'), 'there is no password to ask for');
    const fresh = await own.submit(device.get(optionsIn(prove.text, '/prove/passkey')), '/prove/passkey');
    t.is(fresh.location, `${server.issuer}/account/methods/password`);
    await own.follow();
    t.false(own.page.text.includes('name="password"'));
    const password = 'seven blue kites';
    const set = await own.submit({ newPassword: password, newPasswordAgain: password }, '/methods/password');
    t.is(set.location, `${server.issuer}/account/methods?done=password`, set.text.slice(0, 400));
    turnClock(0);
    const again = await atSignIn(scene, server.browser());
    t.true(isIn(await again.submit({ identifier: WANG.idNumber, password }, '/identify')));
  },
);

test.serial(
  'D12 the only key of an account without a password cannot be removed before there is another way in',
  async (t) => {
    const server = await startServer(t, ROOMY);
    const browser = server.browser();
    const page = await enrolToPassword(browser, { idNumber: WANG.idNumber, name: WANG.name });
    const device = createAuthenticator(server.issuer);
    await browser.submit(device.create(optionsIn(page.text, '/register/passkey')), '/register/passkey');
    const portal = await server.addPortal();
    const own = await atSignIn({ server, portal, wang: '', browser }, server.browser());
    await answer(own, device);
    await own.follow((url) => url.origin !== server.issuer);
    const remove = async (): Promise<Page> => {
      const { text } = await own.get('/account/methods');
      const [, address = ''] = /href="(\/account\/methods\/factor\?[^"]+)"/.exec(text) ?? [];
      await own.get(address.replaceAll('&amp;', '&'));
      return own.submit({}, '/factor/remove');
    };
    t.is((await remove()).status, 409);
    t.like((await server.events('factor.refused'))[0], { data: { reason: 'only_key' } });
    await own.get('/account/methods/password');
    const password = 'seven blue kites';
    await own.submit({ newPassword: password, newPasswordAgain: password }, '/methods/password');
    t.true((await remove()).location?.endsWith('done=factor-removed'));
  },
);

test.serial(
  'D12 whoever lost their only passkey recovers by the register and their phone; beside a password it is not got around',
  async (t) => {
    const server = await startServer(t, ROOMY);
    const person = { idNumber: WANG.idNumber, name: WANG.name };
    const phone = freshPhone();
    const browser = server.browser();
    const page = await enrolToPassword(browser, person, phone);
    const device = createAuthenticator(server.issuer);
    await browser.submit(device.create(optionsIn(page.text, '/register/passkey')), '/register/passkey');

    const recover = async (): Promise<Page> => {
      const seen = await codesFor(server.issuer, phone);
      const fresh = server.browser();
      await fresh.get('/recover');
      await fresh.submit(person, '/recover');
      await fresh.follow();
      await fresh.submit({ code: await codeFor(server.issuer, phone, seen) }, '/recover/code');
      await fresh.follow();
      if (!fresh.page.text.includes('name="passwordAgain"')) return fresh.page;
      const password = 'seven blue kites';
      return fresh.submit({ password, passwordAgain: password }, '/recover/password');
    };
    await recover();
    t.is((await server.events('recovery.completed')).length, 1);
    await recover();
    t.is((await server.events('recovery.completed')).length, 1, 'now the passkey stands beside a password');
    t.like((await server.events('recovery.refused'))[0], { data: { reason: 'second_factor' } });
  },
);

test.serial('D15 E1 a fresh proof with a passkey counts for its own session and person alone', async (t) => {
  const scene = await withPasskey(t);
  const { server, browser, device } = scene;
  turnClock(400_000);
  const { text } = await browser.get('/account/prove?next=%2Faccount%2Fmethods%2Fpasskey');
  const options = optionsIn(text, '/prove/passkey');
  await server.addPerson(LI);
  turnClock(0);
  const other = server.browser();
  await server.signIn(other, scene.portal, { identifier: LI.idNumber });
  turnClock(400_000);
  const theirs = await other.get('/account/prove?next=%2Faccount');
  t.false(theirs.text.includes('data-passkey'), 'somebody without one is not asked for one');
  const token = /name="form_token" value="([^"]+)"/.exec(theirs.text)?.[1] ?? '';
  const stolen = await other.post('/account/prove/passkey', {
    ...device.get(options),
    form_token: token,
    next: '/account',
  });
  t.is(stolen.status, 401);
  await browser.get('/account/prove?next=%2Faccount%2Fmethods%2Fpasskey');
  const before = browser.cookie('tongban')?.value;
  const page = await browser.submit(device.get(optionsIn(browser.page.text, '/prove/passkey')), '/prove/passkey');
  t.is(page.location, server.issuer + ENROL);
  t.not(browser.cookie('tongban')?.value, before);
  t.like((await server.events('sign-in.renewed'))[0], { data: { amr: ['hwk', 'user', 'mfa'] } });
});

test.serial('D14 a challenge counts for its purpose, its sign-in and its browser alone, in one spelling', async (t) => {
  const { house } = await startServer(t);
  const { signedChallenges: challenges, database } = house;
  const bound = { purpose: 'sign-in', binding: 'one', browser: 'mine' } as const;
  const challenge = challenges.issue(bound);
  t.is(challenges.judge(challenge, bound), 'good');
  for (const other of [
    { purpose: 'bind' as const },
    { binding: 'two' },
    { browser: 'yours' },
    { binding: 'onem', browser: 'ine' },
  ]) {
    t.is(challenges.judge(challenge, { ...bound, ...other }), 'foreign', JSON.stringify(other));
  }
  const last = challenge.at(-1) ?? '';
  const respelt = challenge.slice(0, -1) + String.fromCharCode(last.charCodeAt(0) + 1);
  t.is(challenges.judge(respelt, bound), 'foreign');
  t.not(challenges.issue(bound), challenge);
  t.true(await database.write((tx) => challenges.spend(tx, challenge)));
  t.false(await database.write((tx) => challenges.spend(tx, challenge)));
});
