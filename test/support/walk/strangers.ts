import { counterDesk } from '../../../src/enrolment-doors.ts';
import { turnClock } from '../../../src/shared/clock.ts';
import { codeFor, codesFor, freshPhone, otherCode } from '../enrolment.ts';
import { PEOPLE } from '../legal-persons.ts';
import { documentOf } from '../people.ts';
import { allow, fill, submit, typeSignIn } from '../seen.ts';
import { RECOVERY_WAIT_SECONDS, UNAVAILABLE, type Walk } from './town.ts';

const NEWCOMER = PEOPLE.administrator;
const COUNTER_GUEST = PEOPLE.stranger;
const FRESH = 'seven blue kites over the lake';
const FRESHER = 'nine green boats on the river';

/** What anybody can open who is not signed in. */
export async function walkOutside({ eye, open }: Walk): Promise<void> {
  await open('/');
  await eye.at('home');
  await open('/mailbox');
  await eye.at('mailbox', 'empty');
  await open('/nowhere');
  await eye.at('fault');
  await open('/register/code');
  await eye.at('register-stopped');
  await open('/recover/password');
  await eye.at('recover-stopped');
  await open('/session/end');
  await eye.at('logout-done', 'nobody');
}

/** Registering in the middle of a sign-in, with a mistake at every step. Resolves with the phone. */
export async function walkEnrolment({ page, eye, server, hall, open, enter }: Walk): Promise<string> {
  const phone = freshPhone();
  await enter(hall);
  await eye.at('sign-in', 'portal');
  await page.locator('a[href^="/register"]').click();
  await eye.at('register');
  await fill(page, { name: NEWCOMER.name, idNumber: '339900199203170022' });
  await eye.wrong('register', 'number');
  await fill(page, { name: ' ', idNumber: NEWCOMER.idNumber });
  await eye.wrong('register', 'name');
  await fill(page, { ...NEWCOMER, name: PEOPLE.owner.name });
  await eye.wrong('register', 'mismatch');
  await fill(page, UNAVAILABLE);
  await eye.at('register-unavailable');
  await open('/register?edit=1');
  await fill(page, NEWCOMER);
  await eye.at('register-phone');
  await fill(page, { phone: '12345' });
  await eye.wrong('register-phone', 'wrong');
  await fill(page, { phone });
  await eye.at('register-code');
  const code = await codeFor(server.issuer, phone);
  await fill(page, { code: otherCode(code) });
  await eye.wrong('register-code', 'wrong');
  await open('/register');
  await eye.at('register-resume');
  await submit(page);
  await fill(page, { code });
  await eye.at('register-password');
  await fill(page, { password: FRESH, passwordAgain: 'not the same at all' });
  await eye.wrong('register-password', 'differ');
  await fill(page, { password: 'short', passwordAgain: 'short' });
  await eye.wrong('register-password', 'short');
  await fill(page, { password: FRESH, passwordAgain: FRESH });
  await eye.at('register-done');
  await page.locator('a.primary').click();
  return phone;
}

/** From what stands in the sign-in form to the portal, and what somebody finds who has nobody to act for. */
export async function walkCeremony({ page, eye, open, enter, hall, companiesOnly, signOut }: Walk): Promise<void> {
  await typeSignIn(page, '33990019920317002', FRESH);
  await eye.wrong('sign-in', 'number');
  await typeSignIn(page, NEWCOMER.idNumber, 'not the password');
  await eye.wrong('sign-in', 'refused');
  await typeSignIn(page, NEWCOMER.idNumber, FRESH);
  await eye.at('consent');
  await allow(page);
  await page.waitForURL(/callback/);
  await enter(hall, { scope: 'openid profile id_number' });
  await eye.at('consent', 'sensitive');
  await allow(page);
  await page.waitForURL(/callback/);
  await enter(hall, { prompt: 'select_account' });
  await eye.at('continue-as');
  await page.locator('button[value="continue"]').click();
  await page.waitForURL(/callback/);
  await enter(companiesOnly);
  await eye.at('nobody-to-act-for');
  await open('/');
  await eye.at('home', 'signed-in');
  await open('/session/end');
  await eye.at('logout');
  await page.locator('button[name="logout"][value="yes"]').click();
  await eye.at('logout-done');
  await open('/account');
  await eye.at('sign-in', 'account');
  await typeSignIn(page, NEWCOMER.idNumber, FRESH);
  await signOut();
}

/** Who registers twice, and who was entered at a counter. */
export async function walkOtherEnrolments({ page, eye, server, open }: Walk): Promise<void> {
  const phone = freshPhone();
  await open('/register');
  await fill(page, NEWCOMER);
  await fill(page, { phone });
  await page.waitForURL(/\/register\/code$/);
  await fill(page, { code: await codeFor(server.issuer, phone) });
  await eye.at('register-exists');
  const guestPhone = freshPhone();
  const guest = { document: documentOf('resident_id_card', COUNTER_GUEST.idNumber), name: COUNTER_GUEST.name };
  await counterDesk(server.house).assist({ ...guest, phone: `+86${guestPhone}` }, 'operator:desk-4');
  const code = await codeFor(server.issuer, guestPhone);
  await page.context().clearCookies({ name: /enrolment/ });
  await open('/register/confirm');
  await eye.at('register-confirm');
  await fill(page, { idNumber: '33990019', code });
  await eye.wrong('register-confirm', 'number');
  await fill(page, { idNumber: COUNTER_GUEST.idNumber, code: otherCode(code) });
  await eye.wrong('register-confirm', 'code');
  await fill(page, { idNumber: COUNTER_GUEST.idNumber, code });
  await eye.at('register-password', 'counter');
  await open('/mailbox');
  await eye.at('mailbox');
}

/** Both ways back to an account whose password was forgotten. */
export async function walkRecovery(walk: Walk, phone: string): Promise<void> {
  const { page, eye, server, open, signIn, signOut } = walk;
  const prove = async (): Promise<void> => {
    const before = await codesFor(server.issuer, phone);
    await open('/recover');
    await fill(page, NEWCOMER);
    await page.waitForURL(/\/recover\/code/);
    const code = await codeFor(server.issuer, phone, before);
    await eye.at('recover-code');
    await fill(page, { code: otherCode(code) });
    await eye.wrong('recover-code', 'wrong');
    await fill(page, { code });
    await page.waitForURL(/\/recover\/waiting/);
  };
  await open('/recover');
  await eye.at('recover');
  await fill(page, { name: NEWCOMER.name, idNumber: '33990019' });
  await eye.wrong('recover', 'number');
  await fill(page, { ...NEWCOMER, name: ' ' });
  await eye.wrong('recover', 'name');
  await fill(page, UNAVAILABLE);
  await eye.at('recover-unavailable');
  await prove();
  await eye.at('recover-waiting');
  await signIn(NEWCOMER, FRESH);
  await open('/recover/waiting');
  await eye.at('recover-stopped', 'cancelled');
  await open('/account/recovery-codes');
  await eye.at('account-recovery-codes');
  await submit(page);
  await eye.at('account-recovery-codes', 'shown');
  const paper = (await page.locator('.paper-codes li').first().textContent()) ?? '';
  await signOut();
  await open('/recover/with-code');
  await eye.at('recover-with-code');
  await fill(page, { identifier: NEWCOMER.idNumber, recoveryCode: 'AAAA-BBBB-CCCC-DDDD' });
  await eye.wrong('recover-with-code', 'wrong');
  await fill(page, { identifier: NEWCOMER.idNumber, recoveryCode: paper });
  await page.waitForURL(/\/recover\/waiting/);
  turnClock((RECOVERY_WAIT_SECONDS + 60) * 1000);
  await page.reload();
  await eye.at('recover-password');
  await fill(page, { password: FRESHER, passwordAgain: 'not the same at all' });
  await eye.wrong('recover-password', 'differ');
  await fill(page, { password: FRESHER, passwordAgain: FRESHER });
  await eye.at('recover-done');
  turnClock(0);
}
