import type { ExecutionContext } from 'ava';
import type { BrowserContextOptions } from 'playwright-core';
import { codeFor, codesFor, enrol, freshPhone, otherCode } from '../support/enrolment.ts';
import { createBrowser } from '../support/http-client.ts';
import { freshPlace, type Product, startProduct } from '../support/product.ts';
import { allow, fill, NARROW, seen, stage, submit, typeSignIn } from '../support/seen.ts';

const PASSWORD = 'seven blue kites over the lake';
const UNAVAILABLE = '339900197001010135';

let product: Product;
const { visitor } = stage(async (cleanup) => {
  product = await startProduct(cleanup, await freshPlace(cleanup));
});

/** From a portal through registration back to the portal, with a mistake at every step. */
async function wholeWay(
  t: ExecutionContext,
  name: string,
  person: { readonly name: string; readonly idNumber: string },
  options: BrowserContextOptions,
): Promise<void> {
  const { page, watch, look } = await visitor(t, `enrol-${name}`, options);
  const [portal] = product.portals;
  const phone = freshPhone();
  await page.goto(`${portal}/login`);
  await page.locator('a[href^="/register"]').click();
  await look('1-identity');
  await fill(page, { name: '赵丽', idNumber: person.idNumber });
  t.is(await page.locator('[role="alert"]').count(), 1, 'the register does not know this name under this number');
  await look('1-mismatch');
  await fill(page, person);
  await page.waitForURL(/\/register\/phone$/);
  await look('2-phone');
  await fill(page, { phone: '12345' });
  t.is(await page.locator('input[name="phone"][aria-invalid="true"]').count(), 1);
  await look('2-phone-wrong');
  await fill(page, { phone });
  await page.waitForURL(/\/register\/code$/);
  const code = await codeFor(product.issuer, phone);
  await look('3-code');
  await fill(page, { code: otherCode(code) });
  t.is(await page.locator('input[name="code"][aria-invalid="true"]').count(), 1);
  await look('3-code-wrong');
  await page.goto(`${product.issuer}/register`);
  await look('resume');
  await submit(page);
  await fill(page, { code });
  await page.waitForURL(/\/register\/password$/);
  await look('4-password');
  await fill(page, { password: PASSWORD, passwordAgain: 'not the same at all' });
  t.is(await page.locator('input[name="passwordAgain"][aria-invalid="true"]').count(), 1);
  await fill(page, { password: PASSWORD, passwordAgain: PASSWORD });
  await page.locator('a.primary').waitFor();
  await look('5-done');
  await page.locator('a.primary').click();
  await typeSignIn(page, person.idNumber, PASSWORD);
  await allow(page);
  await page.waitForURL(`${portal}/`);
  t.true((await page.locator('h1').textContent())?.includes(person.name));
  t.deepEqual(watch.problems, []);
}

seen('a new person registers step by step and ends at the portal (phone, Chinese)', (t) =>
  wholeWay(t, 'zh-phone', { name: '赵雅琴', idNumber: '339900199203170021' }, { viewport: NARROW }),
);

seen('the same on a desktop in English', (t) =>
  wholeWay(t, 'en-desktop', { name: '周建国', idNumber: '339900197809230034' }, { locale: 'en-GB' }),
);

seen(
  'the register does not answer, the account is there already, a step is lost: each has its calm page',
  async (t) => {
    const { page, look } = await visitor(t, 'enrol-calm', { viewport: NARROW });
    await page.goto(`${product.issuer}/register/code`);
    await look('stopped-lost');
    await page.goto(`${product.issuer}/register`);
    await fill(page, { name: '王小明', idNumber: UNAVAILABLE });
    await look('unavailable');
    await page.goto(`${product.issuer}/register?edit=1`);
    await fill(page, { name: '王小明', idNumber: '339900199001011014' });
    const phone = freshPhone();
    await fill(page, { phone });
    await page.waitForURL(/\/register\/code$/);
    await fill(page, { code: await codeFor(product.issuer, phone) });
    await page.waitForURL(/\/register\/exists$/);
    await look('exists');
    await page.goto(`${product.issuer}/mailbox`);
    await look('mailbox');
    await page.locator('a.display-text').click();
    await look('mailbox-elder');
  },
);

/** From a portal over 忘记密码 to a new password and back; then by a code on paper. */
async function wayBack(
  t: ExecutionContext,
  name: string,
  person: { readonly name: string; readonly idNumber: string },
  options: BrowserContextOptions,
): Promise<void> {
  const { page, watch, look } = await visitor(t, `enrol-${name}`, options);
  const [portal] = product.portals;
  const phone = freshPhone();
  const opened = await enrol(createBrowser(product.issuer), person, PASSWORD, { phone });
  t.is(opened.status, 201);
  const before = await codesFor(product.issuer, phone);
  await page.goto(`${portal}/login`);
  await page.locator('a[href^="/recover"]').click();
  await look('recover-1');
  await fill(page, { name: person.name, idNumber: '33990019' });
  t.is(await page.locator('input[name="idNumber"][aria-invalid="true"]').count(), 1);
  await look('recover-1-wrong');
  await fill(page, person);
  await page.waitForURL(/\/recover\/code/);
  await look('recover-2-code');
  const code = await codeFor(product.issuer, phone, before);
  await fill(page, { code: otherCode(code) });
  await look('recover-2-code-wrong');
  await fill(page, { code });
  await page.waitForURL(/\/recover\/password/);
  await look('recover-3-password');
  await fill(page, { password: 'nine green boats on the river', passwordAgain: 'nine green boats on the river' });
  await page.locator('a.primary').waitFor();
  await look('recover-4-done');
  await page.locator('a.primary').click();
  await typeSignIn(page, person.idNumber, 'nine green boats on the river');
  await allow(page);
  await page.waitForURL(`${portal}/`);

  await page.goto(`${product.issuer}/account/methods`);
  await page.locator('a[href="/account/recovery-codes"]').click();
  await look('codes-none');
  await page.locator('main form button.primary').click();
  await page.locator('.paper-codes li').first().waitFor();
  t.is(await page.locator('.paper-codes li').count(), 10);
  await look('codes-shown');
  const paper = (await page.locator('.paper-codes li').first().textContent()) ?? '';
  await page.goto(`${product.issuer}/recover/with-code`);
  await look('recover-with-code');
  await fill(page, { identifier: person.idNumber, recoveryCode: 'AAAA-BBBB-CCCC-DDDD' });
  await look('recover-with-code-wrong');
  await fill(page, { identifier: person.idNumber, recoveryCode: paper });
  await page.waitForURL(/\/recover\/password/);
  await fill(page, { password: PASSWORD, passwordAgain: PASSWORD });
  await page.locator('a.primary').waitFor();
  await page.goto(`${product.issuer}/recover/password`);
  await look('recover-lost');
  t.deepEqual(watch.problems, []);
}

seen('who forgot the password finds back on a phone, in Chinese', (t) =>
  wayBack(t, 'back-zh', { name: '林志强', idNumber: '339900198312240119' }, { viewport: NARROW }),
);

seen('who forgot the password finds back on a desktop, in English', (t) =>
  wayBack(t, 'back-en', { name: '郑浩然', idNumber: '339900200408150054' }, { locale: 'en-GB' }),
);

seen('a person at a counter confirms on their own phone, and a new password waits for its time', async (t) => {
  const { page, look } = await visitor(t, 'enrol-others', { viewport: NARROW });
  await page.goto(`${product.issuer}/register/confirm`);
  await look('confirm');
  await fill(page, { idNumber: '339900200408150054', code: '000000' });
  await look('confirm-wrong');
  const place = await freshPlace(t);
  const slow = await startProduct(t, place, { TONGBAN_RECOVERY_WAIT_SECONDS: '86400' });
  const person = { name: '孙丽', idNumber: '339900199906300064' };
  const phone = freshPhone();
  t.is((await enrol(createBrowser(slow.issuer), person, PASSWORD, { phone })).status, 201);
  const before = await codesFor(slow.issuer, phone);
  await page.goto(`${slow.issuer}/recover`);
  await fill(page, person);
  await page.waitForURL(/\/recover\/code/);
  await fill(page, { code: await codeFor(slow.issuer, phone, before) });
  await page.waitForURL(/\/recover\/waiting/);
  await look('recover-waiting');
  await page.goto(`${slow.issuer}/account`);
  await typeSignIn(page, person.idNumber, PASSWORD);
  await page.waitForURL(/\/account/);
  await page.goto(`${slow.issuer}/recover/waiting`);
  await look('recover-cancelled');
});
