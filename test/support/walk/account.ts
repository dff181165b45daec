import { turnClock } from '../../../src/shared/clock.ts';
import { codeFor, freshPhone, otherCode } from '../enrolment.ts';
import { PEOPLE } from '../legal-persons.ts';
import { idNumberOf } from '../people.ts';
import { bindApp } from '../second-factor.ts';
import { fill, submit, typeSignIn } from '../seen.ts';
import { PASSWORD } from '../server.ts';
import { PASSPORT, PASSPORT_PASSWORD, type Walk } from './town.ts';

const { owner: OWNER } = PEOPLE;
const PLACES = [
  ['account', '/account'],
  ['account-documents', '/account/documents'],
  ['account-methods', '/account/methods'],
  ['account-sessions', '/account/sessions'],
  ['account-portals', '/account/portals'],
  ['account-consents', '/account/portals/history'],
  ['account-trail', '/account/trail'],
  ['account-data', '/account/data'],
  ['account-display', '/account/display'],
] as const;

/** The nine places of the account centre, and what can be shown there. */
export async function walkPlaces({ page, eye, open }: Walk): Promise<void> {
  for (const [name, address] of PLACES) {
    await open(address);
    await eye.at(name);
  }
  await open('/account/display');
  await submit(page);
  await eye.at('account-display', 'saved');
  await open('/account/data');
  await page.locator('form[action="/account/data/show"] button').click();
  await eye.at('account-data-all');
  await open('/account/documents');
  await page.locator('form[action="/account/documents/prove"] button').first().click();
  await eye.at('account-documents', 'proven');
  await open('/account/documents/correct');
  await eye.at('account-correct');
  await fill(page, { name: ' ' });
  await eye.wrong('account-correct', 'empty');
  await fill(page, { name: OWNER.name });
  await eye.wrong('account-correct', 'refused');
}

/** What one signs in with. */
export async function walkMethods({ page, eye, server, open }: Walk): Promise<void> {
  const phone = freshPhone();
  await open('/account/methods/phone');
  await eye.at('account-contact', 'phone');
  await fill(page, { address: '12345' });
  await eye.wrong('account-contact', 'phone-wrong');
  await fill(page, { address: phone });
  await eye.at('account-contact-code');
  const code = await codeFor(server.issuer, phone);
  await fill(page, { code: otherCode(code) });
  await eye.wrong('account-contact-code', 'wrong');
  await fill(page, { code });
  await eye.at('account-methods', 'bound');
  await open('/account/methods/email');
  await eye.at('account-contact', 'email');
  await fill(page, { address: 'nobody' });
  await eye.wrong('account-contact', 'email-wrong');
  await open('/account/methods/user-name');
  await eye.at('account-user-name');
  await fill(page, { userName: 'ab' });
  await eye.wrong('account-user-name', 'short');
  await open('/account/methods/password');
  await eye.at('account-password');
  await fill(page, { password: PASSWORD, newPassword: 'short', newPasswordAgain: 'short' });
  await eye.wrong('account-password', 'short');
  await fill(page, {
    password: 'not the password',
    newPassword: 'seven blue kites',
    newPasswordAgain: 'seven blue kites',
  });
  await eye.wrong('account-password', 'old');
  await fill(page, { password: PASSWORD, newPassword: 'seven blue kites', newPasswordAgain: 'seven red kites' });
  await eye.wrong('account-password', 'differ');
}

/** When the proof has grown old. */
export async function walkProof({ page, eye, server, open }: Walk): Promise<void> {
  await open('/account/documents');
  turnClock((server.house.config.account.freshProofSeconds + 5) * 1000);
  await page.locator('form[action="/account/documents/show"] button').click();
  await eye.at('account-prove');
  await fill(page, { password: 'not the password' });
  await eye.wrong('account-prove', 'wrong');
  await fill(page, { password: PASSWORD });
  await eye.at('account-proven');
  await submit(page);
  await eye.at('account-documents', 'shown');
  turnClock(0);
  const { house } = server;
  const { id } = (await house.persons.findByIdNumber(idNumberOf(PEOPLE.representative.idNumber)))!;
  const app = await bindApp(server, id);
  await house.database.run('UPDATE bound_factors SET bound_at = bound_at - 1000 WHERE id = $1', [app.id]);
  await open('/account/documents');
  await page.locator('form[action="/account/documents/show"] button').click();
  await eye.at('account-prove-factor');
  await page.locator('input[name="code"]').fill('000000');
  await page.locator('form[action="/account/prove/factor"] button').click();
  await eye.wrong('account-prove-factor', 'wrong');
  await page.locator('button[name="choose"]').first().click();
  await eye.at('account-prove-factor', 'unsent');
  await house.database.run('DELETE FROM bound_factors WHERE id = $1', [app.id]);
}

/** Two accounts of one person: that of the passport, which lacks the number of a card, and that of the card. */
export async function walkMerge({ page, eye, open, signIn, signOut }: Walk): Promise<void> {
  await signOut();
  await signIn({ idNumber: PASSPORT }, PASSPORT_PASSWORD);
  await open('/account/documents');
  await eye.at('account-documents', 'passport');
  await fill(page, { idNumber: '33990019' });
  await eye.wrong('account-documents', 'number');
  await signOut();
  await signIn(PEOPLE.representative);
  await open('/account/merge');
  await eye.at('account-merge');
  await fill(page, { identifier: '33990019', password: PASSPORT_PASSWORD });
  await eye.wrong('account-merge', 'form');
  await fill(page, { identifier: PASSPORT, password: 'not the password' });
  await eye.wrong('account-merge', 'refused');
  await fill(page, { identifier: PASSPORT, password: PASSPORT_PASSWORD });
  await eye.at('account-merge-choose');
  await page.locator('input[name="keep"]').first().waitFor();
  await submit(page);
  await eye.wrong('account-merge-choose', 'none');
  await page.locator('input[name="keep"][value="this"]').check();
  await submit(page);
  await eye.at('account-merged');
  await open('/account/data');
  await eye.at('account-data', 'merged');
  await page.locator('form[action="/account/merge/undo"] button').click();
  await eye.at('account-merge-undone');
}

/** Closing an account and keeping it after all. */
export async function walkClosure({ page, eye, open, signIn, signOut }: Walk): Promise<void> {
  const { elder: person } = PEOPLE;
  await signOut();
  await signIn(PEOPLE.representative);
  await open('/account/close');
  await page.locator('input[name="agree"]').check();
  await page.locator('form[action="/account/close"] button').click();
  await eye.wrong('account-close', 'represents');
  await signOut();
  await signIn(person);
  await open('/account/close');
  await eye.at('account-close');
  await page.locator('form[action="/account/close"] button').click();
  await eye.wrong('account-close', 'unticked');
  await page.locator('input[name="agree"]').check();
  await page.locator('form[action="/account/close"] button').click();
  await eye.at('account-close-done');
  await open('/account');
  await typeSignIn(page, person.idNumber, PASSWORD);
  await eye.at('account-closing');
  await submit(page);
  await eye.at('sign-in', 'kept');
}

/** Somebody who sees what they did not do. */
export async function walkNotMe({ page, eye, open, signIn, signOut }: Walk): Promise<void> {
  await signOut();
  await signIn(OWNER);
  await page.locator('a.trail-report').first().waitFor();
  await open('/account/trail');
  await page.locator('a.trail-report').first().click();
  await eye.at('not-me');
  await submit(page);
  await eye.at('not-me-done');
}
