import type { ExecutionContext } from 'ava';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { axeViolations, overflowsSideways, screenshot } from '../support/browser.ts';
import { captchaIn, readCaptcha } from '../support/passage.ts';
import { NARROW, seen, stage, submit } from '../support/seen.ts';
import { authorizationPath, PASSWORD, startServer, type TestPortal, type TestServer, WANG } from '../support/server.ts';

let server: TestServer;
let portal: TestPortal;
const { visitor: visitorOf } = stage(async (cleanup) => {
  server = await startServer(undefined, {
    defence: { proofAfterAddress: 1, proofWork: 300_000 },
    limits: { failuresPerAccount: 50, failuresPerAddress: 1000 },
  });
  cleanup.teardown(() => server.stop());
  await server.addPerson(WANG);
  portal = await server.addPortal();
});

/** Somebody before the sign-in page of a portal. */
async function visitor(t: ExecutionContext, options: BrowserContextOptions = {}) {
  const person = await visitorOf(t, 'defence', options);
  await person.page.goto(server.issuer + authorizationPath(portal));
  return person;
}

const type = async (page: Page, password = PASSWORD): Promise<void> => {
  await page.locator('input[name="identifier"]').fill(WANG.idNumber);
  await page.locator('input[name="password"]').fill(password);
};

/** Types what the picture on the page says, and what one signs in with. */
async function signInByPicture(page: Page): Promise<void> {
  const token = captchaIn(await page.content()) ?? '';
  await type(page);
  const says = readCaptcha(token, server.house.config.secrets.encryptionKey);
  await page.locator('input[name="captcha_answer"]').fill(says);
  await submit(page);
  await page.locator('form[action$="/consent"]').waitFor();
}

/** One wrong password makes this address suspicious. */
async function fail(): Promise<void> {
  const plain = server.browser();
  await plain.get(authorizationPath(portal));
  await plain.follow();
  await plain.submit({ identifier: WANG.idNumber, password: 'wrong' }, '/identify');
}

seen('nobody sees anything of it on a quiet day', async (t) => {
  const { page, watch } = await visitor(t);
  t.is(await page.locator('[data-puzzle], .captcha').count(), 0);
  t.false((await page.content()).includes('/captcha/'));
  t.deepEqual(watch.problems, []);
});

seen('P7 under suspicion the browser works by itself while the person types', async (t) => {
  await fail();
  const { page, watch } = await visitor(t);
  t.is(await page.locator('.captcha img').count(), 0, 'no picture where script runs');
  await type(page);
  await page.locator('.passage-status', { hasText: '自动验证已完成' }).waitFor({ timeout: 15_000 });
  t.deepEqual(await axeViolations(page), []);
  await screenshot(page, 'defence-work-done');
  await submit(page);
  await page.locator('form[action$="/consent"]').waitFor();
  t.deepEqual(watch.problems, [], 'the content policy lets the worker run');
});

seen('P7 whoever presses the button too soon is sent on when the work is done', async (t) => {
  await fail();
  const { page } = await visitor(t);
  await type(page);
  await submit(page);
  await page.locator('form[action$="/consent"]').waitFor({ timeout: 15_000 });
  t.pass();
});

for (const [name, options, query] of [
  ['zh-360', { viewport: NARROW }, ''],
  ['en-1280', { locale: 'en' }, ''],
  ['elder-360', { viewport: NARROW }, '&text=large'],
] as const) {
  seen(`a picture and tones can be had in place of the work, at 200 % too (${name})`, async (t) => {
    await fail();
    const { page, watch } = await visitor(t, options);
    const link = await page.locator('.passage-other a').getAttribute('href');
    await page.goto(`${server.issuer}${link}${query}`);
    const picture = page.locator('.captcha img');
    await picture.waitFor();
    const box = await picture.boundingBox();
    t.true((box?.width ?? 0) > 0 && (box?.width ?? 0) <= 320, 'half the size of what was drawn: sharp at 200 %');
    t.deepEqual(await axeViolations(page), []);
    t.false(await overflowsSideways(page));
    await screenshot(page, `defence-picture-${name}`);
    await page.setViewportSize({
      width: Math.round((options as { viewport?: typeof NARROW }).viewport?.width ?? 1280) / 2,
      height: 800,
    });
    if (name === 'en-1280') t.false(await overflowsSideways(page), 'at 200 %');
    await signInByPicture(page);
    t.deepEqual(watch.problems, []);
  });
}

seen(
  'without script the picture stands in the page, a wrong answer gets another, and a right one lets in',
  async (t) => {
    await fail();
    const { page } = await visitor(t, { javaScriptEnabled: false });
    await type(page);
    await page.locator('input[name="captcha_answer"]').fill('000000');
    await submit(page);
    await page.locator('.problem', { hasText: '密码没有被判为错误' }).waitFor();
    await screenshot(page, 'defence-no-script');
    await signInByPicture(page);
    t.pass();
  },
);
