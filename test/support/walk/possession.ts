import { PEOPLE } from '../legal-persons.ts';
import type { Walk } from './town.ts';

const { owner: OWNER } = PEOPLE;

/** What a screen shows and what a phone answers; here they are one browser, which is signed in and is to sign in anew. */
export async function walkPossession({ page, eye, server, hall, open, enter, signIn, signOut }: Walk): Promise<void> {
  await signOut();
  await signIn(OWNER);
  await open('/account/methods/passkey');
  await eye.at('account-passkey');
  await enter(hall, { prompt: 'login' });
  await page.locator('form[action$="/scan"] button').click();
  await eye.at('scan');
  const ceremony = /interaction\/([\w-]+)/.exec(page.url())?.[1] ?? '';
  const browser = (await page.context().cookies()).find(({ name }) => name === 'browser')?.value ?? '';
  const code = (await server.house.scanCodes.shown(ceremony, browser))?.code ?? '';
  await open(`/account/scan?code=${code}`);
  await eye.at('account-scan');
  await page.locator('button[value="approve"]').click();
  await eye.wrong('account-scan', 'no-number');
  await page.locator('button[value="refuse"]').click();
  await eye.at('account-scan-done');
}
