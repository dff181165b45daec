import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import type { BrowserContext, Page } from 'playwright-core';
import { codeFor, freshPhone } from '../support/enrolment.ts';
import { createEye } from '../support/eye.ts';
import { freshFolder, freshPlace, type Product, startProduct } from '../support/product.ts';
import { readQr } from '../support/qr-reader.ts';
import { fill, NARROW, seen, stage, submit, typeSignIn } from '../support/seen.ts';

const PASSWORD = 'one-login-for-all';
const WANG = '339900199001011014';
const LI = '33990019850701009X';
const CHEN = '449900200002290028';
const ZHAO = { name: '赵雅琴', idNumber: '339900199203170021' } as const;

/** It makes the demonstration certificate and signs with it. */
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const script = (name: string): string => new URL(`../../examples/certificate/${name}`, import.meta.url).pathname;

let product: Product;
/** Where the demonstration certificate lies. */
let certificates: string;
const { visitor: visitorOf } = stage(async (cleanup) => {
  const place = await freshPlace(cleanup);
  if (!hasOpenssl) {
    product = await startProduct(cleanup, place);
    return;
  }
  certificates = await freshFolder(cleanup);
  execFileSync(script('make.sh'), [certificates], { stdio: 'ignore' });
  product = await startProduct(cleanup, place, {
    TONGBAN_CERTIFICATES_AUTHORITY_FILES: join(certificates, 'authority.pem'),
    TONGBAN_CERTIFICATES_REVOCATION_FILES: join(certificates, 'revoked.pem'),
    TONGBAN_CERTIFICATES_KEYS: 'software',
  });
});
const visitor: typeof visitorOf = (t, name, options) => visitorOf(t, `possession-${name}`, options);

/**
 * No look with axe may come after this: it opens a second session of the protocol, whose end takes the device away.
 * The device of the page holds passkeys and knows its owner; `answers` says whether it offers them without being asked. */
async function deviceOf(context: BrowserContext, page: Page, answers: boolean): Promise<void> {
  if (!answers) {
    await context.addInitScript('PublicKeyCredential.isConditionalMediationAvailable = async () => false');
  }
  const session = await context.newCDPSession(page);
  await session.send('WebAuthn.enable', { enableUI: false });
  await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
}

async function enter(page: Page, identifier: string): Promise<void> {
  await page.goto(`${product.issuer}/account`);
  await typeSignIn(page, identifier, PASSWORD);
  await page.waitForURL(/\/account$/);
}

const button = (page: Page) => page.locator('form[data-passkey] button');

for (const [way, options, choice, who] of [
  ['zh', { locale: 'zh-CN', viewport: NARROW }, '', WANG],
  ['en', { locale: 'en-GB', viewport: { width: 1280, height: 900 } }, '', LI],
  ['elder', { locale: 'zh-CN', viewport: NARROW }, '?text=large', CHEN],
] as const) {
  seen(`D14 a passkey is added on the methods page and signs in by its button (${way})`, async (t) => {
    const { context, page, watch, look } = await visitor(t, way, options);
    await page.goto(`${product.issuer}/account`);
    await page.locator('#sign-in').waitFor();
    if (choice !== '') await page.goto(`${page.url()}${choice}`);
    await look('sign-in');
    await enter(page, who);
    for (const address of ['methods', 'methods/passkey', 'sessions']) {
      await page.goto(`${product.issuer}/account/${address}`);
      await look(address);
    }
    await deviceOf(context, page, false);
    await page.goto(`${product.issuer}/account/methods`);
    await page.locator('a[href="/account/methods/passkey"]').click();
    await page.locator('input[name="label"]').fill('我的手机');
    await button(page).click();
    await page.waitForURL(/done=passkey$/);
    t.true((await page.locator('main').textContent())?.includes('我的手机'));
    await context.clearCookies({ name: 'tongban' });
    await page.goto(`${product.issuer}/account`);
    await page.locator('#sign-in').waitFor();
    await button(page).click();
    await page.waitForURL(/\/account$/);
    await context.clearCookies({ name: 'tongban' });
    await page.goto(`${product.issuer}/account`);
    await page.locator('input[name="identifier"]').fill(who);
    t.is(await page.locator('input[name="identifier"]').getAttribute('autocomplete'), 'username webauthn');
    t.deepEqual(watch.problems, []);
  });
}

seen('D14 a device that offers its passkeys under the field signs in without a word being typed', async (t) => {
  const { context, page, watch } = await visitor(t, 'conditional');
  await deviceOf(context, page, true);
  await enter(page, LI);
  await page.goto(`${product.issuer}/account/methods/passkey`);
  await button(page).click();
  await page.waitForURL(/done=passkey$/);
  await context.clearCookies({ name: 'tongban' });
  await page.goto(`${product.issuer}/account`);
  await page.waitForURL(/\/account$/);
  t.deepEqual(watch.problems, []);
});

seen('without a passkey at hand, and without a script, the password still signs in', async (t) => {
  const { context, page, look } = await visitor(t, 'none', { viewport: NARROW });
  await deviceOf(context, page, false);
  await page.goto(`${product.issuer}/account`);
  await button(page).click();
  await page.locator('[data-stopped]:not(:empty)').waitFor();
  await look('stopped');
  const plain = await visitor(t, 'plain', { javaScriptEnabled: false });
  await enter(plain.page, WANG);
  t.true(plain.page.url().endsWith('/account'));
});

seen('D13 somebody registers with a passkey in place of a password, and signs in with it', async (t) => {
  const { context, page, watch, look } = await visitor(t, 'register', { viewport: NARROW });
  const phone = freshPhone();
  await page.goto(`${product.issuer}/register`);
  await fill(page, ZHAO);
  await page.waitForURL(/\/register\/phone$/);
  await fill(page, { phone });
  await page.waitForURL(/\/register\/code$/);
  await fill(page, { code: await codeFor(product.issuer, phone) });
  await page.waitForURL(/\/register\/password$/);
  await look('choice');
  await deviceOf(context, page, false);
  await page.reload();
  await button(page).click();
  await page.locator('a.primary').waitFor();
  await page.locator('a.primary').click();
  await page.locator('#sign-in').waitFor();
  await button(page).click();
  await page.waitForURL(/\/account$/);
  await page.goto(`${product.issuer}/account/methods/password`);
  await look('first-password');
  t.is(await page.locator('input[name="password"]').count(), 0);
  t.deepEqual(watch.problems, []);
});

/** What the camera of a phone makes of the screen. */
async function scanned(page: Page): Promise<string> {
  const says = readQr(await page.locator('svg.qr').screenshot());
  if (says === undefined) throw new Error('no camera could read this');
  return says;
}

for (const [way, who, screenOptions, phoneOptions] of [
  ['zh', WANG, {}, { viewport: NARROW }],
  ['en', CHEN, { locale: 'en-GB', viewport: NARROW }, { locale: 'en-GB', viewport: NARROW }],
] as const) {
  seen(`a screen signs in by a code that a phone has scanned and agreed to (${way})`, async (t) => {
    const phone = await visitor(t, `phone-${way}`, phoneOptions);
    await enter(phone.page, who);
    const screen = await visitor(t, `screen-${way}`, screenOptions);
    await screen.page.goto(`${product.portals[0]}/login`);
    await screen.page.locator('form[action$="/scan"] button').click();
    await screen.page.locator('svg.qr').waitFor();
    await screen.look('code');
    await phone.page.goto(await scanned(screen.page));
    await phone.look('asked');
    await phone.page.locator('button[value="approve"]').click();
    await phone.look('missing');
    const number = (await screen.page.locator('.scan-match strong').textContent()) ?? '';
    await phone.page.locator('input[name="number"]').fill(number);
    await phone.page.locator('button[value="approve"]').click();
    await phone.look('agreed');
    await screen.page.locator('button[name="decision"][value="allow"]').click();
    await screen.page.waitForURL(`${product.portals[0]}/`);
    t.deepEqual([...phone.watch.problems, ...screen.watch.problems], []);
  });
}

seen('V53 a wrong number ends the code, the screen says so, and without a script a button goes on', async (t) => {
  const phone = await visitor(t, 'phone-wrong', { viewport: NARROW });
  await enter(phone.page, WANG);
  const screen = await visitor(t, 'screen-wrong', { viewport: NARROW });
  const start = async (page: Page): Promise<string> => {
    await page.goto(`${product.issuer}/account`);
    await page.locator('form[action$="/scan"] button').click();
    await page.locator('svg.qr').waitFor();
    return (await page.locator('.scan-match strong').textContent()) ?? '';
  };
  const number = await start(screen.page);
  await phone.page.goto(await scanned(screen.page));
  await phone.page.locator('input[name="number"]').fill(number === '10' ? '11' : '10');
  await phone.page.locator('button[value="approve"]').click();
  await phone.look('mismatch');
  await screen.page.locator('[role="alert"]').waitFor();
  await screen.look('refused');
  t.is(await screen.page.locator('#scan-finish').count(), 0);

  const plain = await visitor(t, 'screen-plain', { javaScriptEnabled: false });
  const right = await start(plain.page);
  await phone.page.goto(await scanned(plain.page));
  await phone.page.locator('input[name="number"]').fill(right);
  await phone.page.locator('button[value="approve"]').click();
  await plain.page.locator('#scan-finish button').waitFor({ timeout: 15_000 });
  await plain.page.locator('#scan-finish button').click();
  await plain.page.waitForURL(/\/account$/);
});

const withOpenssl: typeof seen = (title, body) => {
  // Its absence is no success: the test is counted as skipped, and the gate installs it so that it is not.
  if (hasOpenssl) seen(title, body);
  else test.skip(`${title} (no openssl here)`, body);
};

withOpenssl('D18 a soft certificate is bound and signs in, by hand', async (t) => {
  const [key, certificate] = [join(certificates, 'person.key'), join(certificates, 'person.pem')];
  const { context, page, watch, look } = await visitor(t, 'certificate', { viewport: NARROW });
  const answer = async (): Promise<void> => {
    const input = await page.locator('#to-sign').inputValue();
    const signed = execFileSync(script('sign.sh'), [key, certificate], { input, encoding: 'utf8' });
    await page.locator('#answer').fill(signed);
    await submit(page);
  };
  await enter(page, LI);
  await page.goto(`${product.issuer}/account/methods/certificate`);
  await look('bind');
  await answer();
  await page.waitForURL(/done=certificate$/);
  await context.clearCookies({ name: 'tongban' });
  await page.goto(`${product.issuer}/account`);
  await page.locator('a[href$="/certificate"]').click();
  await page.locator('#answer').fill('nothing');
  await submit(page);
  await page.locator('[role="alert"]').waitFor();
  await look('sign-in');
  await answer();
  await page.waitForURL(/\/account$/);
  t.deepEqual(watch.problems, []);
});

for (const [language, width] of [
  ['zh-CN', 360],
  ['en', 1280],
] as const) {
  withOpenssl(
    `the pages of certificates read well in ${language}, in both sizes of type, at both widths`,
    async (t) => {
      const { context, page, watch } = await visitor(t, `certificate-${language}`, { locale: language });
      const eye = await createEye({ page, language, width, names: ['我的账户', 'My account', '李思远', 'openssl'] });
      const answerWrongly = async (): Promise<void> => {
        await page.locator('#answer').fill('nothing');
        await submit(page);
      };
      await enter(page, LI);
      await page.goto(`${product.issuer}/account/methods/certificate`);
      await eye.at('account-certificate');
      await answerWrongly();
      await eye.wrong('account-certificate', 'refused');
      await context.clearCookies({ name: 'tongban' });
      await page.goto(`${product.issuer}/account`);
      await page.locator('a[href$="/certificate"]').click();
      await eye.at('certificate');
      await answerWrongly();
      await eye.wrong('certificate', 'refused');
      t.deepEqual(eye.complaints, []);
      t.deepEqual(watch.problems, []);
    },
  );
}
