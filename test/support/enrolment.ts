import { randomInt } from 'node:crypto';
import type { HttpBrowser, Page } from './http-client.ts';
import { until } from './waiting.ts';

/** A mobile number nobody in this test run has used; 192 is a range that no carrier has given out to people. */
export const freshPhone = (): string => `192${String(randomInt(100_000_000)).padStart(8, '0')}`;

export interface Enrollee {
  readonly idNumber: string;
  readonly name: string;
}

/** All codes that were sent to a number and can be read in the mailbox of this server, the newest first. */
export async function codesFor(issuer: string, phone: string): Promise<readonly string[]> {
  const answer = await fetch(new URL('/mailbox', issuer), { headers: { accept: 'text/html' } });
  const text = await answer.text();
  const messages = [...text.matchAll(/mailbox-to">([^<]*)<\/bdi>[\s\S]*?mailbox-text"><bdi>([^<]*)</g)];
  return messages
    .filter(([, to = '']) => to.endsWith(phone))
    .map(([, , words = '']) => /\d{6}/.exec(words)?.[0] ?? '')
    .filter((code) => code !== '');
}

/** Waits for the newest code to a number that is none of `seen`. */
export async function codeFor(issuer: string, phone: string, seen: readonly string[] = []): Promise<string> {
  let found: string | undefined;
  await until(async () => {
    found = (await codesFor(issuer, phone)).find((code) => !seen.includes(code));
    return found !== undefined;
  });
  if (found === undefined) throw new Error(`no code came to ${phone}`);
  return found;
}

/** Another code of the same form. */
export const otherCode = (code: string): string => String((Number(code) + 1) % 1_000_000).padStart(6, '0');

const issuerOf = (browser: HttpBrowser): string => new URL(browser.page.url).origin;

/** From wherever the first form can be had to the form for the phone. */
export async function proveIdentity(
  browser: HttpBrowser,
  { name, idNumber }: Enrollee,
  path = '/register',
): Promise<Page> {
  await browser.get(path);
  await browser.submit({ name, idNumber }, '/register');
  return browser.follow();
}

/** From the form for the phone to the form for the code; resolves with the code. */
export async function givePhone(browser: HttpBrowser, phone: string): Promise<string> {
  const seen = await codesFor(issuerOf(browser), phone);
  await browser.submit({ phone }, '/register/phone');
  await browser.follow();
  return codeFor(issuerOf(browser), phone, seen);
}

/** From nothing to the form for the password. */
export async function enrolToPassword(
  browser: HttpBrowser,
  person: Enrollee,
  phone: string = freshPhone(),
  path = '/register',
): Promise<Page> {
  await proveIdentity(browser, person, path);
  const code = await givePhone(browser, phone);
  await browser.submit({ code }, '/register/code');
  return browser.follow();
}

/** Every step of an enrolment; resolves with the last page, 201 where an account was opened. */
export async function enrol(
  browser: HttpBrowser,
  person: Enrollee,
  password: string,
  { phone = freshPhone(), path = '/register' }: { readonly phone?: string; readonly path?: string } = {},
): Promise<Page> {
  await enrolToPassword(browser, person, phone, path);
  return browser.submit({ password, passwordAgain: password }, '/register/password');
}
