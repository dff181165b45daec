import type { ExecutionContext } from 'ava';
import type { Page } from 'playwright-core';
import { DEMO_PASSWORD } from '../../../src/commands/demo.ts';
import { parseDocument } from '../../../src/people/documents/parse.ts';
import { maskName } from '../../../src/people/masking.ts';
import { createEye, type Eye, type EyeOptions } from '../eye.ts';
import { CARRIER, COMPANY, PEOPLE } from '../legal-persons.ts';
import { webServer } from '../listeners.ts';
import { ROOMY } from '../portal-calls.ts';
import { typeSignIn } from '../seen.ts';
import { authorizationPath, PASSWORD, startServer, type TestPortal, type TestServer } from '../server.ts';

export const PASSPORT = 'E12345678';
export const PASSPORT_PASSWORD = 'another horse battery';
export const RECOVERY_WAIT_SECONDS = 3600;
export const UNAVAILABLE = { idNumber: '339900197001010135', name: PEOPLE.representative.name } as const;

const PORTAL = { zh: '云山办事大厅', en: 'Cloud Hill Hall' } as const;
const COMPANIES_ONLY = { zh: '云山企业专区', en: 'Cloud Hill for companies' } as const;
const PURPOSE = { zh: '办理社会保险登记', en: 'Registering for social insurance' } as const;

/** A server with people, a company, and two portals, and one browser that walks through it. */
export interface Walk {
  readonly t: ExecutionContext;
  readonly page: Page;
  readonly eye: Eye;
  readonly server: TestServer;
  readonly hall: TestPortal;
  readonly companiesOnly: TestPortal;
  open(path: string): Promise<void>;
  /** Asks as a portal would. */
  enter(portal: TestPortal, query?: Record<string, string>): Promise<void>;
  /** Signs in at the account centre. */
  signIn(person: { readonly idNumber: string }, password?: string): Promise<void>;
  signOut(): Promise<void>;
}

const portalOf = ({ zh, en }: { readonly zh: string; readonly en: string }, redirectUri: string) => ({
  client_name: zh,
  'client_name#en': en,
  redirect_uris: [redirectUri],
  grant_types: ['authorization_code'],
});

/** Somebody who came twice: with the card, and before that with a passport. */
async function addPassport({ house }: TestServer): Promise<void> {
  const read = parseDocument('prc_passport', 'CN', PASSPORT);
  const prepared = await house.passwords.prepare(PASSPORT_PASSWORD);
  if (!read.ok || prepared === 'busy') throw new Error('no passport');
  const person = { document: read.document, name: PEOPLE.representative.name, ial: 3, origin: 'test' } as const;
  const added = await house.persons.add(person, (tx, { id }) => house.passwords.store(tx, id, prepared, 'test'));
  if (!added.ok) throw new Error(added.reason);
}

export async function openTown(
  t: ExecutionContext,
  page: Page,
  look: Pick<EyeOptions, 'language' | 'width'>,
): Promise<Walk> {
  const settings = { ...ROOMY, recovery: { waitSeconds: RECOVERY_WAIT_SECONDS }, password: { ageDays: 3650 } };
  const shown = [PEOPLE.representative, PEOPLE.owner];
  const server = await startServer(t, settings, {
    demo: { people: shown, password: DEMO_PASSWORD, mailboxUrl: '/mailbox' },
  });
  for (const role of ['representative', 'owner', 'agent', 'elder'] as const) await server.addPerson(PEOPLE[role]);
  await addPassport(server);
  const callback = `${await webServer(t, (_request, answer) => answer.end('back at the portal'))}/callback`;
  const hall = await server.addPortal({
    ...portalOf(PORTAL, callback),
    scope: 'openid profile id_number',
    approved_scopes: ['id_number'],
    accepts_subjects: ['natural', 'legal'],
    purpose: PURPOSE.zh,
    'purpose#en': PURPOSE.en,
    notice_version: '2026-1',
  });
  const companiesOnly = await server.addPortal({
    ...portalOf(COMPANIES_ONLY, callback),
    scope: 'openid profile',
    accepts_subjects: ['legal'],
  });
  const people = Object.values(PEOPLE).flatMap(({ name }) => [name, maskName(name)]);
  const names = [...people, ...[PORTAL, COMPANIES_ONLY].flatMap(({ zh, en }) => [zh, en]), COMPANY.name, CARRIER.name];
  const open = async (path: string): Promise<void> => void (await page.goto(server.issuer + path));
  return {
    t,
    page,
    eye: await createEye({ page, names, ...look }),
    server,
    hall,
    companiesOnly,
    open,
    enter: (portal, query = {}) =>
      open(authorizationPath(portal, { redirect_uri: callback, scope: 'openid profile', ...query })),
    async signIn({ idNumber }, password = PASSWORD) {
      await open('/account');
      await typeSignIn(page, idNumber, password);
      await page.waitForURL(/\/account$/);
    },
    async signOut() {
      await open('/session/end');
      // Whoever is not signed in is not asked.
      if (!page.url().includes('/success')) await page.locator('button[name="logout"][value="yes"]').click();
      await page.waitForURL(/\/session\/end\/success/);
    },
  };
}
