import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { ConfigOverrides } from '../../src/config/schema.ts';
import { nowSeconds } from '../../src/shared/clock.ts';
import {
  answerOf,
  type CertificateWishes,
  type MadeCertificate,
  makeCertificate,
  makeRevocationList,
} from './certificate-maker.ts';
import { temporaryFolder } from './folders.ts';
import type { HttpBrowser, Page } from './http-client.ts';
import { ROOMY } from './portal-calls.ts';
import { authorizationPath, startServer, type TestPortal, type TestServer, WANG } from './server.ts';

export const DAY = 86_400;
export const [SIGN, CERTIFY, LIST] = [0, 5, 6] as const;
const CLIENT_AUTHENTICATION = '1.3.6.1.5.5.7.3.2';
const BIND = '/account/methods/certificate';

export const period = (from = -DAY, to = 365 * DAY) => ({ validFrom: nowSeconds() + from, validTo: nowSeconds() + to });

export const authority = (wishes: Partial<CertificateWishes> = {}, issuer?: MadeCertificate): MadeCertificate =>
  makeCertificate({ subject: 'Authority', ...period(), authority: {}, usage: [CERTIFY, LIST], ...wishes }, issuer);
export const personal = (issuer: MadeCertificate, wishes: Partial<CertificateWishes> = {}): MadeCertificate =>
  makeCertificate({ subject: 'Wang', ...period(), usage: [SIGN], purpose: CLIENT_AUTHENTICATION, ...wishes }, issuer);
export const listOf = (issuer: MadeCertificate, serials: readonly number[] = []): string =>
  makeRevocationList(issuer, { serials, from: nowSeconds() - DAY, to: nowSeconds() + DAY });

export interface CertificateHouse {
  readonly server: TestServer;
  readonly portal: TestPortal;
  readonly browser: HttpBrowser;
  readonly wang: string;
  readonly listFile: string;
  /** A new browser on the page of the certificate. */
  atSignIn(): Promise<HttpBrowser>;
}

/** A house that believes these authorities, with somebody who has just signed in. */
export async function certificateHouse(
  t: ExecutionContext,
  authorities: readonly MadeCertificate[],
  lists: string,
  overrides: ConfigOverrides = {},
): Promise<CertificateHouse> {
  const folder = temporaryFolder(t);
  const [authorityFile, listFile] = [join(folder, 'authorities.pem'), join(folder, 'lists.pem')];
  writeFileSync(authorityFile, authorities.map(({ pem }) => pem).join(''));
  writeFileSync(listFile, lists);
  const certificates = { authorityFiles: [authorityFile], revocationFiles: [listFile] };
  const server = await startServer(t, { ...ROOMY, ...overrides, certificates });
  const [wang, portal] = [await server.addPerson(WANG), await server.addPortal()];
  const browser = server.browser();
  await server.signIn(browser, portal);
  const atSignIn = async (): Promise<HttpBrowser> => {
    const fresh = server.browser();
    await fresh.get(authorizationPath(portal));
    const { url } = await fresh.follow();
    await fresh.get(`${new URL(url).pathname}/certificate`);
    return fresh;
  };
  return { server, portal, browser, wang, listFile, atSignIn };
}

/** What a page has to be signed. */
export const textOn = (page: Page): string =>
  (/<textarea id="to-sign"[^>]*>([^<]*)</.exec(page.text)?.[1] ?? '').replaceAll('&#x2F;', '/');

export async function bindCertificate(browser: HttpBrowser, certificate: MadeCertificate): Promise<Page> {
  const page = await browser.get(BIND);
  return browser.submit({ answer: answerOf(certificate, textOn(page)), label: 'UKey' }, BIND);
}

/** Answers the page that asks for a certificate, at the sign-in or in the account. */
export const giveCertificate = (
  browser: HttpBrowser,
  certificate: MadeCertificate,
  signer = certificate.key,
): Promise<Page> => browser.submit({ answer: answerOf(certificate, textOn(browser.page), signer) }, '/certificate');
