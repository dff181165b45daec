import { randomBytes } from 'node:crypto';
import type { FactorKind } from '../../src/factors/factor.ts';
import { presentStep, writeSeed } from '../../src/factors/otp-token.ts';
import { stepState } from '../../src/factors/stepped-code.ts';
import { type TokenSeed, tokenCode } from '../../src/factors/token-codes.ts';
import { newTotpSecret } from '../../src/factors/totp.ts';
import { authenticatorCode } from './authenticator.ts';
import type { HttpBrowser, Page } from './http-client.ts';
import { arrive } from './portal-calls.ts';
import { authorizationPath, PASSWORD, type TestPortal, type TestServer } from './server.ts';

const WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
let people = 0;

/** Somebody nobody else is: the number is well formed (GB 11643) and of no region there is. */
export async function somebody(server: TestServer): Promise<{ readonly id: string; readonly idNumber: string }> {
  people += 1;
  const body = `339900198001${String(10 + (people % 18)).padStart(2, '0')}${String(people).padStart(3, '0')}`;
  const sum = [...body].reduce((total, digit, at) => total + Number(digit) * WEIGHTS[at]!, 0);
  const idNumber = body + '10X98765432'[sum % 11];
  return { id: await server.addPerson({ idNumber, name: '陈一凡' }), idNumber };
}

/** An authenticator app of a person. Each code counts once: it shows the present one first and then the next. */
export interface App {
  readonly id: string;
  code(): string;
}

/** Binds an app as if it had been bound long ago. */
export async function bindApp({ house }: TestServer, personId: string): Promise<App> {
  const secret = newTotpSecret();
  const state = stepState({ lastStep: 0, drift: 0 });
  const bound = await house.database.write((tx) =>
    house.boundFactors.bind(tx, { kind: 'totp', personId, label: '手机', secret, state }, { origin: 'test' }),
  );
  if (!bound.ok) throw new Error(bound.reason);
  let steps = -1;
  return {
    id: bound.id,
    code() {
      steps += 1;
      if (steps > 1) throw new Error('an app shows two codes that count at once; bind another');
      return authenticatorCode(secret, steps);
    },
  };
}

/** Binds a hardware token whose clock is minutes ahead of where it was when it was bound. `code(n)` is what it shows n minutes from now. */
export async function bindToken({ house }: TestServer, personId: string, aheadMinutes: number) {
  const seed: TokenSeed = {
    algorithm: 'gmt0021',
    key: randomBytes(16).toString('hex'),
    periodSeconds: 60,
    digits: 6,
  };
  const state = stepState({ lastStep: 0, drift: 0 });
  const token = { kind: 'otp_token', personId, label: '令牌', secret: writeSeed(seed), state } as const;
  const bound = await house.database.write((tx) => house.boundFactors.bind(tx, token, { origin: 'test' }));
  if (!bound.ok) throw new Error(bound.reason);
  const shows = presentStep(seed) + aheadMinutes;
  return {
    code: (minutes = 0): string => tokenCode(seed, shows + minutes),
    /** A code it shows at no time within hours. */
    never(): string {
      const near = new Set(Array.from({ length: 400 }, (_, at) => tokenCode(seed, shows + at - 200)));
      for (let code = 0; ; code += 1) {
        const text = String(code).padStart(6, '0');
        if (!near.has(text)) return text;
      }
    },
  };
}

/** Has the person be asked for a second factor at each sign-in. */
export const askAlways = ({ house }: TestServer, personId: string): Promise<void> =>
  house.database.write((tx) => house.factorPolicies.set(tx, personId, { alwaysAsk: true }, { origin: 'test' }));

export const asksForSecond = (page: Page): boolean => page.text.includes('/second-factor"');
export const asksForPassword = (page: Page): boolean => page.text.includes('name="password"');

/** Goes to a portal and answers whatever is asked but the second factor and the consent. */
export async function enter(
  server: TestServer,
  browser: HttpBrowser,
  portal: TestPortal,
  idNumber: string,
  query: Record<string, string> = {},
): Promise<Page> {
  await browser.get(authorizationPath(portal, query));
  await arrive(server, browser);
  if (asksForPassword(browser.page)) {
    await browser.submit({ identifier: idNumber, password: PASSWORD }, '/identify');
    await arrive(server, browser);
  }
  return browser.page;
}

/** Gives a code on the page that asks for it, and goes on as far as it leads. */
export async function giveCode(
  server: TestServer,
  browser: HttpBrowser,
  code: string,
  factor: FactorKind = 'totp',
): Promise<Page> {
  await browser.submit({ code, factor }, '/second-factor');
  return arrive(server, browser);
}

/** Consents where that is asked, and goes on to the portal. */
export async function allow(server: TestServer, browser: HttpBrowser): Promise<Page> {
  if (!browser.page.text.includes('/consent"')) return browser.page;
  await browser.submit({ decision: 'allow' }, '/consent');
  return arrive(server, browser);
}
