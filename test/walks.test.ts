import test, { type ExecutionContext } from 'ava';
import { hiddenField } from './support/hidden-field.ts';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { answerOf, arrive, ROOMY } from './support/portal-calls.ts';
import { somebody } from './support/second-factor.ts';
import { authorizationPath, PASSWORD, startServer, type TestPortal, type TestServer } from './support/server.ts';
import { allTold, BROWSER } from './support/told-events.ts';

/** Every step a page of the sign-in can take, filled in as its own page would. */
const STEPS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  identify: { identifier: 'nobody', password: PASSWORD },
  passkey: { credential: 'AA', clientData: 'AA', authenticatorData: 'AA', signature: 'AA', userHandle: '' },
  certificate: { challenge: 'AA', answer: 'AA' },
  scan: {},
  'scan/finish': {},
  'second-factor': { factor: 'totp', code: '000000' },
  'send-code': { factor: 'sms_code' },
  without: { decision: 'continue' },
  'new-password': { newPassword: 'nine green boats', newPasswordAgain: 'nine green boats' },
  'continue-as': { decision: 'continue' },
  'choose-subject': { acting_as: 'self' },
  consent: { decision: 'allow' },
  cancel: { decision: 'cancel' },
};
/** Where somebody says who they are, in one way or another. */
const IDENTIFYING = new Set(['identify', 'passkey', 'certificate', 'scan', 'scan/finish', 'cancel']);

let server: TestServer;
let portal: TestPortal;

test.before(async () => {
  server = await startServer(undefined, ROOMY);
  portal = await server.addPortal();
});
test.after.always(() => server.stop());

interface Scene {
  readonly id: string;
  readonly idNumber: string;
  readonly browser: HttpBrowser;
  /** Of the page that is shown. */
  readonly at: () => string;
}

/** Somebody with the sign-in page before them. */
async function atSignIn(query: Record<string, string> = {}): Promise<Scene> {
  const person = await somebody(server);
  const browser = server.browser(BROWSER);
  await browser.get(authorizationPath(portal, query));
  await arrive(server, browser);
  return { ...person, browser, at: () => new URL(browser.page.url).pathname };
}

/** The same person at the page that asks for their consent. */
async function atConsent(query: Record<string, string> = {}): Promise<Scene> {
  const scene = await atSignIn(query);
  await scene.browser.submit({ identifier: scene.idNumber, password: PASSWORD }, '/identify');
  await arrive(server, scene.browser);
  return scene;
}

const isRefused = ({ status, location }: Page): boolean =>
  (status >= 400 && status < 500) || location?.endsWith('/scan') === true;

/** How often the ledger has told of a step that nobody had asked for, in whatever words; beyond the first ten it counts them. */
async function toldOf(reason: string): Promise<number> {
  const types = ['sign-in.misplaced', 'sign-in.refused', 'subject.refused'] as const;
  const told = (await Promise.all(types.map((type) => server.events(type)))).flat();
  const counted = told.filter(({ data }) => data.reason === reason).map(({ data }) => Number(data.repeated ?? 1));
  return counted.reduce((sum, count) => sum + count, 0);
}

async function refusedAndTold(
  t: ExecutionContext,
  take: () => Promise<Page>,
  reason: string,
  what: string,
): Promise<void> {
  const before = await toldOf(reason);
  const page = await take();
  t.true(isRefused(page), `${what}: ${page.status} ${page.location}`);
  t.is(await toldOf(reason), before + 1, `${what} is told`);
}

const sessionsOf = async (id: string): Promise<number> => (await server.house.sessionEnds.list(id)).length;

test.serial('V3 before anybody has said who they are no other step is taken, and each is on record', async (t) => {
  const { id, browser, at } = await atSignIn();
  const [path, form_token] = [at(), hiddenField(browser.page)];
  for (const [step, fields] of Object.entries(STEPS)) {
    if (IDENTIFYING.has(step)) continue;
    await refusedAndTold(t, () => browser.post(`${path}/${step}`, { form_token, ...fields }), 'out_of_order', step);
  }
  t.is(await sessionsOf(id), 0);
  t.like((await allTold(server, 'sign-in.misplaced', { client: portal.id }))[0], {
    outcome: 'failure',
    actor: 'anonymous',
    subject: null,
    data: { step: 'without', reason: 'out_of_order' },
  });
});

test.serial(
  'V3 at the consent every step but that one is over, and the form of the page before is worth nothing',
  async (t) => {
    const { id, browser, at } = await atConsent();
    const [path, form_token] = [at(), hiddenField(browser.page)];
    for (const [step, fields] of Object.entries(STEPS)) {
      if (step === 'consent' || step === 'cancel' || step === 'scan') continue;
      await refusedAndTold(t, () => browser.post(`${path}/${step}`, { form_token, ...fields }), 'out_of_order', step);
    }
    t.is(await sessionsOf(id), 1);
    t.like((await allTold(server, 'sign-in.misplaced', { subject: id })).at(-1), { subject: id, client: portal.id });
    await browser.get(path);
    await browser.submit({ decision: 'allow' }, '/consent');
    await arrive(server, browser);
    t.truthy(answerOf(browser.page).get('code'), 'and the honest answer still counts');
  },
);

test.serial('V3 A2 a step taken twice, and every step after the answer, leads nowhere', async (t) => {
  const { id, browser, at } = await atConsent();
  const [path, form_token] = [at(), hiddenField(browser.page)];
  const both = await Promise.all([0, 1].map(() => browser.post(`${path}/consent`, { form_token, ...STEPS.consent })));
  const given = (await allTold(server, 'consent.given', { subject: id })).length;
  t.is(given, 1, 'of two at once');
  t.true(both.some(({ status }) => status === 303));
  for (const [step, fields] of Object.entries(STEPS)) {
    const take = () => browser.post(`${path}/${step}`, { form_token, ...fields });
    await refusedAndTold(t, take, 'out_of_order', `${step}, late`);
  }
  t.is(await sessionsOf(id), 1);
  t.is((await allTold(server, 'consent.given', { subject: id })).length, 1);
});

test.serial('V53 V4 no step is taken in another browser, whoever it belongs to', async (t) => {
  const asking = await atSignIn();
  const asked = await atConsent();
  const stranger = server.browser();
  const own = await atConsent();
  for (const { at, browser } of [asking, asked]) {
    const [path, form_token] = [at(), hiddenField(browser.page)];
    for (const [step, fields] of Object.entries(STEPS)) {
      for (const other of [stranger, own.browser]) {
        await refusedAndTold(t, () => other.post(`${path}/${step}`, { form_token, ...fields }), 'elsewhere', step);
      }
    }
  }
  t.is(await sessionsOf(asking.id), 0);
  t.deepEqual(await allTold(server, 'consent.given', { subject: asked.id }), []);
});

test.serial(
  'E2 F5 V48 no step counts from another site, without its token, or with a field it does not have',
  async (t) => {
    for (const { at, browser } of [await atSignIn(), await atConsent()]) {
      const [path, form_token] = [at(), hiddenField(browser.page)];
      for (const [step, fields] of Object.entries(STEPS)) {
        const post = (form: Record<string, string>, headers: Record<string, string> = {}) =>
          browser.post(`${path}/${step}`, form, headers);
        const good = { form_token, ...fields };
        t.true(isRefused(await post(good, { origin: 'https://evil.cn' })), `${step} from elsewhere`);
        t.true(isRefused(await post(good, { 'sec-fetch-site': 'cross-site' })), `${step} across sites`);
        t.true(isRefused(await post({ ...good, form_token: 'forged' })), `${step} with a forged token`);
        t.is((await post(fields as Record<string, string>)).status, 400, `${step} without a token`);
        // What a factor is given is its own: the page of a second factor may send what a script has signed.
        if (step === 'second-factor') continue;
        for (const name of ['person_id', 'accountId', 'acting_for'])
          t.is((await post({ ...good, [name]: 'psn_other' })).status, 400, `${step} with ${name}`);
      }
    }
  },
);

test.serial('V6 F2 V42 whoever is shut out in the middle takes no step any more', async (t) => {
  for (const shut of ['disable', 'freeze'] as const) {
    const { id, browser, at } = await atConsent();
    const [path, form_token] = [at(), hiddenField(browser.page)];
    if (shut === 'disable') await server.house.persons.disable(id, 'test');
    else await server.house.persons.freeze(id, 'watch');
    for (const step of ['consent', 'continue-as', 'choose-subject', 'without', 'new-password']) {
      const page = await browser.post(`${path}/${step}`, { form_token, ...STEPS[step] });
      t.true(isRefused(page), `${shut} ${step}: ${page.status}`);
    }
    t.deepEqual(await allTold(server, 'consent.given', { subject: id }), []);
    await browser.get(authorizationPath(portal, { prompt: 'none' }));
    t.is(answerOf(browser.page).get('error'), 'login_required');
  }
});
