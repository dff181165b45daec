import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { pino } from 'pino';
import { type House, openHouse } from '../../src/app.ts';
import { prepareConfig } from '../../src/config/prepare.ts';
import type { ConfigOverrides } from '../../src/config/schema.ts';
import type { LedgerEntry } from '../../src/ledger/entry.ts';
import { parseIdNumber } from '../../src/people/id-number.ts';
import { type ServeOptions, type Serving, serve } from '../../src/serve.ts';
import { randomToken } from '../../src/shared/random.ts';
import { STORE_FILE } from '../../src/store-doors.ts';
import { createBrowser, type HttpBrowser, type Page } from './http-client.ts';
import { layStore } from './laid-store.ts';
import { ledgerEntries } from './ledger.ts';

export const PASSWORD = 'correct horse battery';
export const REDIRECT_URI = 'https://portal.example/callback';
export const WANG = { idNumber: '339900199001011014', name: '王小明' } as const;
export const LI = { idNumber: '33990019850701009X', name: '李思远' } as const;

export interface TestPortal {
  readonly id: string;
  readonly secret: string;
}

export interface TokenAnswer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: Headers;
}

/** A whole server in this process, on a free port and a folder of its own. */
export interface TestServer {
  readonly issuer: string;
  readonly dataDir: string;
  readonly house: House;
  browser(headers?: Record<string, string>): HttpBrowser;
  addPerson(person: { readonly idNumber: string; readonly name: string }, password?: string): Promise<string>;
  addPortal(record?: Record<string, unknown>): Promise<TestPortal>;
  /** Goes through sign-in and consent and resolves with the portal's callback address. */
  signIn(browser: HttpBrowser, portal: TestPortal, options?: SignInOptions): Promise<URL>;
  token(portal: TestPortal, fields: Record<string, string>, headers?: Record<string, string>): Promise<TokenAnswer>;
  /** What stands in the ledger, of one type if named. */
  events(type?: string): Promise<readonly LedgerEntry[]>;
  stop(): Promise<void>;
}

export interface SignInOptions {
  readonly identifier?: string;
  readonly password?: string;
  readonly query?: Record<string, string>;
  /** For whom, where the page asks: `self`, which is what is left out, or the reference of a subject. */
  readonly actingAs?: string;
}

/** A PKCE pair (RFC 7636 section 4): one for all tests, since each code is bound to its own challenge anyway. */
export const VERIFIER = 'v'.repeat(43);
export const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url');

/** Below what systems give to outgoing connections, one of which would otherwise take a port before its server listens there. */
const PORTS = { from: 11_000, count: 21_000 } as const;
/** Each process has ports of its own: a port that two of them find free at once would be taken by both. */
const PORTS_OF_ONE = 50;
let asked = 0;

/** A port of the loopback address at which nobody listens. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.from + ((process.pid * PORTS_OF_ONE + (asked % PORTS_OF_ONE)) % PORTS.count);
    asked += 1;
    const probe = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}

/** Starts a server for one test (or for all of a file with `test.before`); it ends with `stop()` or with the test. */
export async function startServer(
  t: ExecutionContext | undefined,
  overrides: ConfigOverrides = {},
  { demo, shortWays = true, ...parts }: Partial<Pick<House, 'acting'>> & Pick<ServeOptions, 'demo' | 'shortWays'> = {},
): Promise<TestServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tongban-test-'));
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  const prepared = prepareConfig({
    env: { TONGBAN_PROFILE: 'test' },
    overrides: { port, issuer, dataDir, ...overrides },
  });
  if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
  if (prepared.config.database.url === '' && prepared.config.dataDir === dataDir)
    await layStore(join(dataDir, STORE_FILE));
  const house = { ...(await openHouse(prepared.config)), ...parts };
  const serving: Serving = await serve(house, pino({ level: 'silent' }), { shortWays, ...(demo && { demo }) });
  const stop = async (): Promise<void> => {
    await serving.stop();
    await house.close();
    await rm(dataDir, { recursive: true, force: true });
  };
  t?.teardown(stop);
  return testServer(house, prepared.config.issuer, prepared.config.dataDir, stop);
}

function testServer(house: House, issuer: string, dataDir: string, stop: () => Promise<void>): TestServer {
  const server: TestServer = {
    issuer,
    dataDir,
    house,
    stop,
    browser: (headers) => createBrowser(issuer, headers),
    async addPerson({ idNumber, name }, password = PASSWORD) {
      const parsed = parseIdNumber(idNumber);
      if (!parsed.ok) throw new Error(parsed.reason);
      const prepared = await house.passwords.prepare(password);
      if (prepared === 'busy') throw new Error('busy');
      const added = await house.persons.add({ idNumber: parsed.number, name, ial: 2, origin: 'test' }, (tx, person) =>
        house.passwords.store(tx, person.id, prepared, 'test'),
      );
      if (!added.ok) throw new Error(added.reason);
      return added.person.id;
    },
    async addPortal(record = {}) {
      const outcome = await house.relyingParties.add(
        {
          client_name: '测试门户',
          redirect_uris: [REDIRECT_URI],
          grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
          scope: 'openid profile identity offline_access',
          ...record,
        },
        'test',
      );
      if (!outcome.ok) throw new Error(JSON.stringify(outcome.faults));
      return { id: outcome.party.clientId, secret: outcome.secret ?? '' };
    },
    async signIn(
      browser,
      portal,
      { identifier = WANG.idNumber, password = PASSWORD, query = {}, actingAs = 'self' } = {},
    ) {
      await browser.get(authorizationPath(portal, query));
      await browser.follow((url) => url.origin !== issuer);
      if (browser.page.text.includes('name="password"')) {
        await browser.submit({ identifier, password }, '/identify');
        await browser.follow((url) => url.origin !== issuer);
      }
      if (browser.page.text.includes('/choose-subject"')) {
        await browser.submit({ acting_as: actingAs }, '/choose-subject');
        await browser.follow((url) => url.origin !== issuer);
      }
      if (browser.page.text.includes('/consent"')) {
        await browser.submit({ decision: 'allow' }, '/consent');
        await browser.follow((url) => url.origin !== issuer);
      }
      return callbackOf(browser.page);
    },
    async token(portal, fields, headers = {}) {
      const response = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: {
          ...(portal.secret === '' ? {} : { authorization: `Basic ${btoa(`${portal.id}:${portal.secret}`)}` }),
          ...headers,
        },
        body: new URLSearchParams(portal.secret === '' ? { client_id: portal.id, ...fields } : fields),
      });
      return {
        status: response.status,
        headers: response.headers,
        body: (await response.json()) as Record<string, unknown>,
      };
    },
    async events(type) {
      return ledgerEntries(house.database, type);
    },
  };
  return server;
}

/** The address of an authorization request with everything a portal must send; `query` replaces or, when empty, removes. */
export function authorizationPath(portal: TestPortal, query: Record<string, string> = {}): string {
  const all: Record<string, string> = {
    client_id: portal.id,
    redirect_uri: REDIRECT_URI,
    response_type: 'code',
    scope: 'openid profile',
    state: randomToken(12),
    nonce: randomToken(12),
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
    ...query,
  };
  return `/auth?${new URLSearchParams(Object.entries(all).filter(([, value]) => value !== ''))}`;
}

/** The callback a page redirects to; throws with the page when it is none. */
export function callbackOf(page: Page): URL {
  if (page.location === undefined) throw new Error(`no callback but ${page.status}: ${page.text.slice(0, 300)}`);
  return new URL(page.location);
}

/** The fields that redeem a code of `signIn`. */
export const redemption = (callback: URL): Record<string, string> => ({
  grant_type: 'authorization_code',
  code: callback.searchParams.get('code') ?? '',
  redirect_uri: REDIRECT_URI,
  code_verifier: VERIFIER,
});
