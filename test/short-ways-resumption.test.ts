import test from 'ava';
import { UnitOfWork } from '../src/oidc/unit-of-work.ts';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { ROOMY } from './support/portal-calls.ts';
import {
  authorizationPath,
  LI,
  PASSWORD,
  REDIRECT_URI,
  redemption,
  startServer,
  type TestPortal,
  type TestServer,
  WANG,
} from './support/server.ts';

/*
 * People sign in and agree on two servers: on one the library itself goes on with each answer, on the other the short way does where it can. What their
 * browsers are answered, what the ledgers are told, and what lies in the stores afterwards is the same.
 */

const SERVERS = ['short', 'long'] as const;
type Way = (typeof SERVERS)[number];

interface Scene {
  readonly server: TestServer;
  readonly portal: TestPortal;
  readonly other: TestPortal;
}

const scenes = {} as Record<Way, Scene>;
/** How often an answer was taken up by the short way, and how often it turned back. */
const tried = { taken: 0, turnedBack: 0 };

test.before(async () => {
  const mark = UnitOfWork.prototype.mark;
  UnitOfWork.prototype.mark = function (this: UnitOfWork) {
    tried.taken += 1;
    const turnBack = mark.call(this);
    return () => {
      tried.turnedBack += 1;
      turnBack();
    };
  };
  for (const way of SERVERS) {
    const server = await startServer(undefined, ROOMY, { shortWays: way === 'short' });
    await server.addPerson(WANG);
    await server.addPerson(LI);
    scenes[way] = {
      server,
      portal: await server.addPortal(),
      other: await server.addPortal({ client_name: '另一个门户' }),
    };
  }
});
test.after.always(() => Promise.all(SERVERS.map((way) => scenes[way]?.server.stop())));

const CREDENTIALS = { identifier: WANG.idNumber, password: PASSWORD } as const;
const OF_LI = { identifier: LI.idNumber, password: PASSWORD } as const;

const SAID = { state: 'as-sent', nonce: 'said-once' } as const;

/** A browser that keeps what it was answered. */
class Walk {
  readonly scene: Scene;
  readonly browser: HttpBrowser;
  readonly pages: Page[] = [];

  constructor(scene: Scene) {
    this.scene = scene;
    this.browser = scene.server.browser();
  }

  async open(portal: TestPortal = this.scene.portal, query: Record<string, string> = {}): Promise<void> {
    await this.#keep(this.browser.get(authorizationPath(portal, { ...SAID, ...query })));
    await this.follow();
  }

  /** A request that its portal has pushed a moment ago. */
  async openPushed(query: Record<string, string> = {}): Promise<void> {
    const { server, portal } = this.scene;
    const fields = new URL(authorizationPath(portal, { ...SAID, ...query }), server.issuer).searchParams;
    const answer = await fetch(`${server.issuer}/request`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${portal.id}:${portal.secret}`)}` },
      body: fields,
    });
    const { request_uri } = (await answer.json()) as { readonly request_uri: string };
    await this.#keep(this.browser.get(`/auth?${new URLSearchParams({ client_id: portal.id, request_uri })}`));
    await this.follow();
  }

  async follow(): Promise<void> {
    const { issuer } = this.scene.server;
    for (let { page } = this.browser; page.location?.startsWith(`${issuer}/`); page = this.browser.page)
      await this.#keep(this.browser.get(page.location));
  }

  async submit(fields: Record<string, string>, action: string): Promise<void> {
    await this.#keep(this.browser.submit(fields, action));
    await this.follow();
  }

  async signIn(credentials: Record<string, string> = CREDENTIALS): Promise<void> {
    await this.submit(credentials, '/identify');
  }

  async allow(): Promise<void> {
    await this.submit({ decision: 'allow' }, '/consent');
  }

  async #keep(answer: Promise<Page>): Promise<void> {
    this.pages.push(await answer);
  }
}

type Journey = (walk: Walk) => Promise<void>;

/** An ordinary request, of which no page was ever answered twice. */
const PLAIN: Readonly<Record<string, Journey>> = {
  'a first sign-in and its consent': async (walk) => {
    await walk.open();
    await walk.signIn();
    await walk.allow();
    const code = redemption(new URL(walk.browser.page.location ?? ''));
    const { status } = await walk.scene.server.token(walk.scene.portal, code);
    if (status !== 200) throw new Error('the code buys nothing');
  },
  'a second portal, and the first again': async (walk) => {
    await walk.open();
    await walk.signIn();
    await walk.allow();
    await walk.open(walk.scene.other);
    await walk.allow();
    await walk.open();
  },
  'a wrong password before the right one': async (walk) => {
    await walk.open();
    await walk.signIn({ ...CREDENTIALS, password: 'not it' });
    await walk.signIn();
    await walk.allow();
  },
  'another window has signed in meanwhile': async (walk) => {
    await walk.open();
    const first = walk.browser.page.url;
    await walk.open(walk.scene.other);
    await walk.signIn();
    await walk.allow();
    await walk.browser.get(first);
    await walk.submit({ decision: 'continue' }, '/continue-as');
    await walk.allow();
  },
  'the account is chosen': async (walk) => {
    await walk.open();
    await walk.signIn();
    await walk.allow();
    await walk.open(walk.scene.portal, { prompt: 'select_account' });
    await walk.submit({ decision: 'continue' }, '/continue-as');
  },
};

/** What the library goes on with by itself, at one step or another. */
const LIBRARYS: Readonly<Record<string, Journey>> = {
  'a pushed request': async (walk) => {
    await walk.openPushed();
    await walk.signIn();
    await walk.allow();
  },
  'a pushed request that binds its code to a key': async (walk) => {
    await walk.openPushed({ dpop_jkt: 'x'.repeat(43) });
    await walk.signIn();
    await walk.allow();
  },
  'a consent that is denied': async (walk) => {
    await walk.open();
    await walk.signIn();
    await walk.submit({ decision: 'deny' }, '/consent');
  },
  'a sign-in that is cancelled': async (walk) => {
    await walk.open();
    await walk.submit({ decision: 'cancel' }, '/cancel');
  },
  'access in absence': async (walk) => {
    await walk.open(walk.scene.portal, { scope: 'openid offline_access', prompt: 'consent' });
    await walk.signIn();
    await walk.allow();
  },
  'single claims': async (walk) => {
    await walk.open(walk.scene.portal, { claims: JSON.stringify({ id_token: { name: null } }) });
    await walk.signIn();
    await walk.allow();
  },
  'an age of the sign-in': async (walk) => {
    await walk.open(walk.scene.portal, { max_age: '3600' });
    await walk.signIn();
    await walk.allow();
  },
  'the answer in a form': async (walk) => {
    await walk.open(walk.scene.portal, { response_mode: 'form_post' });
    await walk.signIn();
    await walk.allow();
  },
  'somebody else signs in over a session': async (walk) => {
    await walk.open();
    await walk.signIn();
    await walk.allow();
    await walk.open(walk.scene.portal, { prompt: 'login' });
    await walk.signIn(OF_LI);
  },
  'a session cookie that nobody has signed': async (walk) => {
    await walk.open();
    walk.browser.setCookie(walk.scene.server.issuer, 'tongban=of-my-own-making; Path=/');
    await walk.signIn();
    await walk.allow();
  },
  'signing in once more in a session': async (walk) => {
    await walk.open();
    await walk.signIn();
    await walk.allow();
    await walk.open(walk.scene.portal, { prompt: 'login' });
    await walk.signIn();
    await walk.open(walk.scene.portal, { prompt: 'consent' });
    await walk.allow();
  },
};

/** What no answer is taken to: the page is refused before anybody goes on. */
const REFUSED: Readonly<Record<string, Journey>> = {
  'the session is lost between question and answer': async (walk) => {
    await walk.open();
    await walk.signIn();
    walk.browser.forgetCookies('tongban');
    await walk.allow();
  },
  'a session that has ended meanwhile': async (walk) => {
    await walk.open();
    await walk.signIn();
    await walk.scene.server.house.database.run('UPDATE sessions SET ended_at = 1 WHERE ended_at IS NULL', []);
    await walk.allow();
  },
};

/** Without names that chance has given, and the time of day. */
const withoutChance = (text: string, { server, portal, other }: Scene): string =>
  text
    .replaceAll(/\bc:[A-Za-z0-9+/=]{44}/g, 'SEALED')
    .replaceAll(server.issuer, 'ISSUER')
    .replaceAll(encodeURIComponent(server.issuer), 'ISSUER')
    .replaceAll(portal.id, 'PORTAL')
    .replaceAll(other.id, 'OTHER')
    .replaceAll(/expires=(?!Thu, 01 Jan 1970)[^;"]+/g, 'expires=LATER')
    .replaceAll(/value=\\"[a-z0-9]{6}\.[\w-]{20,}/g, 'value=TOKEN')
    .replaceAll(/(?<![\w-])(?:[\w-]{20,}|[\w-]{16}(?![\w-]))/g, 'CHANCE')
    .replaceAll(/\b1[789]\d{8}\b/g, 'TIME');

const shown = ({ status, headers, setCookies, location, text }: Page, scene: Scene): string =>
  withoutChance(
    JSON.stringify({
      status,
      headers: Object.entries(headers)
        .filter(([name]) => !['date', 'x-request-id', 'set-cookie'].includes(name))
        .sort(),
      setCookies,
      location,
      text,
    }),
    scene,
  );

const STORED = [
  'SELECT account_id, payload, authorizations, address, user_agent, ended_at FROM sessions ORDER BY started_at, uid',
  'SELECT model, payload, grant_id, account_id, uid, user_code, consumed_at FROM artifacts ORDER BY model, payload',
  'SELECT person_id, client_id, scopes, claims, terms FROM consents ORDER BY client_id',
] as const;

/** What lies in a store, as a set: names of chance have no order. */
async function stored(scene: Scene): Promise<readonly string[]> {
  const { database } = scene.server.house;
  const rows = await Promise.all(STORED.map((statement) => database.all(statement, [])));
  return rows.flatMap((of, at) => of.map((row) => `${at} ${withoutChance(JSON.stringify(row, opened), scene)}`)).sort();
}

/** The members of what is kept as JSON have no order. */
const opened = (name: string, value: unknown): unknown =>
  name === 'payload' ? sorted(JSON.parse(String(value))) : value;

const sorted = (value: unknown): unknown =>
  typeof value !== 'object' || value === null || Array.isArray(value)
    ? value
    : Object.entries(value)
        .map(([name, member]) => [name, sorted(member)])
        .sort(([one], [two]) => (String(one) < String(two) ? -1 : 1));

const BACKGROUND = /^(logout|ledger|server|watch|incident)\./;

/** What the ledger was told from the given place on, as a set too. */
async function told(scene: Scene, from: number): Promise<readonly string[]> {
  const events = (await scene.server.events()).slice(from).filter(({ type }) => !BACKGROUND.test(type));
  return events.map(({ ts: _ts, corr: _corr, ...event }) => withoutChance(JSON.stringify(event), scene)).sort();
}

async function walked(way: Way, journey: Journey) {
  const scene = scenes[way];
  for (const table of ['artifacts', 'sessions', 'consents', 'known_devices'])
    await scene.server.house.database.run(`DELETE FROM ${table}`, []);
  const from = (await scene.server.events()).length;
  const walk = new Walk(scene);
  await journey(walk);
  return {
    pages: walk.pages.map((page) => shown(page, scene)),
    told: await told(scene, from),
    stored: await stored(scene),
    location: walk.browser.page.location,
  };
}

for (const [title, journey] of Object.entries(PLAIN)) {
  test.serial(`L8 E1 by the short way as by the library: ${title}`, async (t) => {
    const { location: _there, ...long } = await walked('long', journey);
    Object.assign(tried, { taken: 0, turnedBack: 0 });
    const { location, ...short } = await walked('short', journey);
    t.true(tried.taken > 0);
    t.is(tried.turnedBack, 0, 'nothing of it is the library’s');
    t.deepEqual(short, long);
    t.true(location?.startsWith(`${REDIRECT_URI}?code=`), location);
  });
}

for (const [title, journey] of Object.entries(LIBRARYS)) {
  test.serial(`L8 V4 what is the library’s stays so: ${title}`, async (t) => {
    const { location: _there, ...long } = await walked('long', journey);
    Object.assign(tried, { taken: 0, turnedBack: 0 });
    const { location: _here, ...short } = await walked('short', journey);
    t.true(tried.turnedBack > 0);
    t.deepEqual(short, long);
  });
}

for (const [title, journey] of Object.entries(REFUSED)) {
  test.serial(`L8 V4 with or without short ways: ${title}`, async (t) => {
    const { location: _there, ...long } = await walked('long', journey);
    const { location, ...short } = await walked('short', journey);
    t.deepEqual(short, long);
    t.not(location?.includes('code='), true);
  });
}
