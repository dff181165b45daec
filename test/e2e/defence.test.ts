import test, { type ExecutionContext } from 'ava';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import {
  axeViolations,
  chromiumPath,
  launchBrowser,
  openContext,
  overflowsSideways,
  screenshot,
} from '../support/browser.ts';
import { captchaIn, readCaptcha } from '../support/passage.ts';
import { authorizationPath, PASSWORD, startServer, type TestPortal, type TestServer, WANG } from '../support/server.ts';

const NARROW = { width: 360, height: 780 };

const absent = chromiumPath() === undefined;
const seen = (title: string, body: (t: ExecutionContext) => Promise<void>): void => {
  if (absent) test.skip(`${title} (no Chromium here; set CHROMIUM_PATH)`, body);
  else test.serial(title, body);
};

let server: TestServer;
let portal: TestPortal;
let browser: Browser;

test.before(async () => {
  if (absent) return;
  server = await startServer(undefined, {
    defence: { proofAfterAddress: 1, proofWork: 300_000 },
    limits: { failuresPerAccount: 50, failuresPerAddress: 1000 },
  });
  await server.addPerson(WANG);
  portal = await server.addPortal();
  const launched = await launchBrowser();
  if (launched.state === 'absent') throw new Error(launched.reason);
  browser = launched.browser;
});

test.after.always(async () => {
  await browser?.close();
  await server?.stop();
});

async function visitor(t: ExecutionContext, options: BrowserContextOptions = {}) {
  const { context, watch } = await openContext(browser, options);
  t.teardown(() => context.close());
  const page = await context.newPage();
  await page.goto(server.issuer + authorizationPath(portal));
  return { page, watch };
}

const type = async (page: Page, password = PASSWORD): Promise<void> => {
  await page.locator('input[name="identifier"]').fill(WANG.idNumber);
  await page.locator('input[name="password"]').fill(password);
};

const submit = (page: Page): Promise<void> => page.locator('main button.primary').click();

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
    const token = captchaIn(await page.content()) ?? '';
    await type(page);
    await page
      .locator('input[name="captcha_answer"]')
      .fill(readCaptcha(token, server.house.config.secrets.encryptionKey));
    await submit(page);
    await page.locator('form[action$="/consent"]').waitFor();
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
    const token = captchaIn(await page.content()) ?? '';
    await type(page);
    await page
      .locator('input[name="captcha_answer"]')
      .fill(readCaptcha(token, server.house.config.secrets.encryptionKey));
    await submit(page);
    await page.locator('form[action$="/consent"]').waitFor();
    t.pass();
  },
);
