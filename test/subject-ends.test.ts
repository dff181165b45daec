import test, { type ExecutionContext } from 'ava';
import type { Acting, EndedActing } from '../src/legal-persons/acting.ts';
import { type GrantSubjectRow, saveGrantSubject } from '../src/oidc/grant-subjects.ts';
import { createSubjectEnds } from '../src/oidc/subject-ends.ts';
import { startSubjectWatch } from '../src/oidc/subject-watch.ts';
import { monotonicMs, nowSeconds } from '../src/shared/clock.ts';
import type { Database } from '../src/storage/database.ts';
import { createSqlArtifacts } from '../src/storage/sql-artifacts.ts';
import { BRIDGES, ListedActing, mandateOf, TEA } from './support/acting.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import type { HttpBrowser } from './support/http-client.ts';
import { ledgerEntries, testLedger } from './support/ledger.ts';
import { type LogoutReceiver, logoutReceiver, toldAt } from './support/logout-receiver.ts';
import { answerOf, arrive, introspect, payloadOf, ROOMY, refresh, userinfo } from './support/portal-calls.ts';
import {
  authorizationPath,
  redemption,
  startServer,
  type TestPortal,
  type TestServer,
  WANG,
} from './support/server.ts';
import { allTold } from './support/told-events.ts';
import { until } from './support/waiting.ts';

const BOTH = { accepts_subjects: ['natural', 'legal'], scope: 'openid profile offline_access' };
const OFFLINE_CONSENT = { scope: 'openid profile offline_access', prompt: 'consent' };
/** What we promise: the portal knows within a second. The rest is for a machine with other things to do. */
const A_SECOND_MS = 1000;
const SOON_MS = 5000;

interface World {
  readonly server: TestServer;
  readonly acting: ListedActing;
  readonly wang: string;
  /** The company's portal, and one where the same session goes on as oneself. */
  readonly business: LogoutReceiver;
  readonly citizen: LogoutReceiver;
  readonly businessPortal: TestPortal;
  readonly citizenPortal: TestPortal;
}

async function world(t: ExecutionContext): Promise<World> {
  const acting = new ListedActing();
  const [business, citizen] = [await logoutReceiver(t), await logoutReceiver(t)];
  const outbound = { allowedOrigins: [business.origin, citizen.origin], timeoutMs: 2500 };
  const server = await startServer(t, { ...ROOMY, outbound }, { acting });
  const wang = await server.addPerson(WANG);
  const businessPortal = await server.addPortal({ ...BOTH, ...toldAt(business) });
  const citizenPortal = await server.addPortal({ ...BOTH, accepts_subjects: ['natural'], ...toldAt(citizen) });
  return { server, acting, wang, business, citizen, businessPortal, citizenPortal };
}

type Tokens = Record<string, unknown>;

async function enter({ server }: World, portal: TestPortal, actingAs: string, browser: HttpBrowser): Promise<Tokens> {
  const callback = await server.signIn(browser, portal, { actingAs, query: OFFLINE_CONSENT });
  return (await server.token(portal, redemption(callback))).body;
}

/** Whether a portal can still do anything with what it got. */
async function usable({ server }: World, portal: TestPortal, tokens: Tokens): Promise<readonly boolean[]> {
  return [
    (await userinfo(server, tokens.access_token)).status === 200,
    (await introspect(server, portal, tokens.access_token)).active === true,
    (await introspect(server, portal, tokens.refresh_token)).active === true,
  ];
}

const DEAD = [false, false, false];
const ALIVE = [true, true, true];

test('F3 C11 a revoked mandate ends its tokens and tells its portals within a second, and nobody else', async (t) => {
  const own = await world(t);
  const { server, acting, wang, business, citizen, businessPortal, citizenPortal } = own;
  const tea = acting.add(wang, TEA);
  const bridges = acting.add(wang, BRIDGES, { mandate: mandateOf('mdt_bridges') });
  const [phone, desk] = [server.browser(), server.browser()];
  const asBridges = await enter(own, businessPortal, bridges, phone);
  const asSelf = await enter(own, citizenPortal, 'self', phone);
  const asTea = await enter(own, businessPortal, tea, desk);
  t.deepEqual(await usable(own, businessPortal, asBridges), ALIVE);

  acting.remove(bridges);
  const revokedAtMs = monotonicMs();
  await server.house.subjectEnds.ended({ mandateId: 'mdt_bridges' }, 'revoked');
  t.true(await until(async () => business.told.length > 0, SOON_MS));
  t.true(business.told[0]!.atMs - revokedAtMs < A_SECOND_MS, `${business.told[0]!.atMs - revokedAtMs} ms`);
  t.deepEqual(await usable(own, businessPortal, asBridges), DEAD);
  t.is((await refresh(server, businessPortal, asBridges.refresh_token)).status, 400);
  t.deepEqual(await usable(own, businessPortal, asTea), ALIVE, 'the other company goes on');
  t.deepEqual(await usable(own, citizenPortal, asSelf), ALIVE, 'and the person themselves');
  const { sid, sub } = payloadOf(asBridges.id_token);
  t.like(business.told[0]?.claims, { sid, sub });
  t.is(business.told.length, 1);
  t.is(citizen.told.length, 0);
  const [ended, ...more] = await allTold(server, 'acting.ended');
  t.deepEqual(more, []);
  t.like(ended, {
    subject: wang,
    client: businessPortal.id,
    data: { cause: 'revoked', legalPerson: BRIDGES.legalPersonId, mandate: 'mdt_bridges', role: 'agent' },
  });

  // The person is still signed in; for whom is open again.
  await phone.get(authorizationPath(businessPortal));
  await arrive(server, phone);
  t.true(phone.page.text.includes('/choose-subject"'));
  t.false(phone.page.text.includes('name="password"'));
});

test('F3 the end of a post ends that person’s grants alone, the end of a company everybody’s', async (t) => {
  const own = await world(t);
  const { server, acting, wang, businessPortal } = own;
  const li = await server.addPerson({ idNumber: '33990019850701009X', name: '李思远' });
  const [ofWang, ofLi] = [acting.add(wang, TEA), acting.add(li, TEA, { mandate: mandateOf('mdt_li') })];
  const wangTokens = await enter(own, businessPortal, ofWang, server.browser());
  const browser = server.browser();
  const query = { ...OFFLINE_CONSENT };
  const callback = await server.signIn(browser, businessPortal, {
    identifier: '33990019850701009X',
    actingAs: ofLi,
    query,
  });
  const liTokens = (await server.token(businessPortal, redemption(callback))).body;
  const end = (ended: EndedActing) => server.house.subjectEnds.ended(ended, 'test');
  await end({});
  await end({ personId: wang });
  await end({ mandateId: 'mdt_li', legalPersonId: BRIDGES.legalPersonId });
  t.deepEqual(await usable(own, businessPortal, wangTokens), ALIVE);
  t.deepEqual(await usable(own, businessPortal, liTokens), ALIVE);
  acting.remove(ofWang);
  await end({ legalPersonId: TEA.legalPersonId, personId: wang });
  t.deepEqual(await usable(own, businessPortal, wangTokens), DEAD);
  t.deepEqual(await usable(own, businessPortal, liTokens), ALIVE);
  await end({ legalPersonId: TEA.legalPersonId });
  t.deepEqual(await usable(own, businessPortal, liTokens), DEAD);
  t.is((await allTold(server, 'acting.ended')).length, 2);
});

test('F3 a mandate that ended untold is worth nothing at once, and its portal is told within seconds', async (t) => {
  const own = await world(t);
  const { server, acting, wang, business, businessPortal } = own;
  const lookedOver = async (): Promise<boolean> =>
    (await server.house.database.all('SELECT * FROM grant_subjects', [])).length === 0;
  let tokens: Awaited<ReturnType<typeof enter>>;
  let waiting: URL;
  let toldBefore: number;
  let tries = 0;
  // The watch may look just then and end everything first. It does not look again for seconds.
  do {
    tries += 1;
    const bridges = acting.add(wang, BRIDGES, { mandate: mandateOf(`mdt_untold_${tries}`) });
    const browser = server.browser();
    tokens = await enter(own, businessPortal, bridges, browser);
    // A code that waits while the mandate ends buys nothing either.
    waiting = await server.signIn(browser, businessPortal, { query: OFFLINE_CONSENT });
    toldBefore = business.told.length;
    acting.remove(bridges);
    // Without an ID token nobody asks for claims: the grant itself is looked at.
    const bare = { grant_type: 'refresh_token', refresh_token: String(tokens.refresh_token), scope: 'profile' };
    const refused = await server.token(businessPortal, bare);
    t.like(refused, { status: 400, body: { error: 'invalid_grant' } });
  } while ((await lookedOver()) && tries < 3);
  t.false(await lookedOver(), 'nobody has swept yet');
  t.deepEqual(await usable(own, businessPortal, tokens), DEAD);
  t.is((await refresh(server, businessPortal, tokens.refresh_token)).status, 400);
  t.is((await server.token(businessPortal, redemption(waiting))).status, 400);
  t.true(await until(async () => business.told.length > toldBefore, SOON_MS));
  t.like((await allTold(server, 'acting.ended')).at(-1), { data: { cause: 'no_longer_stands' } });
});

test('F3 a mandate that runs out ends its grants by the clock, one that was prolonged does not', async (t) => {
  const own = await world(t);
  const { server, acting, wang, businessPortal, business } = own;
  const at = nowSeconds() + 3600;
  const [short, long] = ['mdt_short', 'mdt_long'].map((id) =>
    acting.add(wang, id === 'mdt_short' ? TEA : BRIDGES, { mandate: mandateOf(id, { validUntil: at }) }),
  );
  await enter(own, businessPortal, short!, server.browser());
  const prolonged = await enter(own, businessPortal, long!, server.browser());
  // As if the hour had passed; meanwhile one mandate was given another year.
  await server.house.database.run('UPDATE grant_subjects SET stands_until = $1', [nowSeconds() - 1]);
  acting.remove(short!);
  t.true(await until(async () => business.told.length > 0, SOON_MS));
  t.like((await allTold(server, 'acting.ended'))[0], { data: { cause: 'expired', mandate: 'mdt_short' } });
  t.deepEqual(await usable(own, businessPortal, prolonged), ALIVE);
  t.is((await allTold(server, 'acting.ended')).length, 1);
});

test('F3 two revocations and uses at once: one end, one notice, and nothing usable is left', async (t) => {
  const own = await world(t);
  const { server, acting, wang, business, businessPortal } = own;
  for (let round = 1; round <= 4; round += 1) {
    const ref = acting.add(wang, BRIDGES, { mandate: mandateOf(`mdt_race_${round}`) });
    acting.add(wang, TEA);
    const tokens = await enter(own, businessPortal, ref, server.browser());
    const use = () => refresh(server, businessPortal, tokens.refresh_token);
    const revoke = async () => {
      acting.remove(ref);
      await server.house.subjectEnds.ended({ mandateId: `mdt_race_${round}` }, 'revoked');
    };
    const [first, , , second] = await Promise.all([
      use(),
      revoke(),
      revoke(),
      use(),
      usable(own, businessPortal, tokens),
    ]);
    for (const { body, status } of [first, second]) {
      if (status !== 200) continue;
      t.deepEqual(await usable(own, businessPortal, body), DEAD, 'whoever was faster holds nothing');
    }
    t.deepEqual(await usable(own, businessPortal, tokens), DEAD);
    t.true(await until(async () => business.told.length === round, SOON_MS), `${business.told.length} of ${round}`);
  }
  t.is((await allTold(server, 'acting.ended')).length, 4);
  t.is((await server.house.database.all('SELECT grant_id FROM grant_subjects', [])).length, 0);
});

test('F3 choosing against revoking: whoever wins, no token acts for what has ended', async (t) => {
  const own = await world(t);
  const { server, acting, wang, businessPortal } = own;
  for (let round = 1; round <= 6; round += 1) {
    const ref = acting.add(wang, BRIDGES, { mandate: mandateOf(`mdt_choose_${round}`) });
    const browser = server.browser();
    await server.signIn(browser, own.citizenPortal);
    await browser.get(authorizationPath(businessPortal));
    await arrive(server, browser);
    const pick = async () => {
      await browser.submit({ acting_as: ref }, '/choose-subject');
      await arrive(server, browser);
    };
    const revoke = async () => {
      await new Promise((resolve) => setTimeout(resolve, round * 4));
      acting.remove(ref);
      await server.house.subjectEnds.ended({ mandateId: `mdt_choose_${round}` }, 'revoked');
    };
    await Promise.all([pick(), revoke()]);
    if (browser.page.text.includes('/consent"')) {
      await browser.submit({ decision: 'allow' }, '/consent');
      await arrive(server, browser);
    }
    const code = answerOf(browser.page).get('code');
    if (code === null) continue;
    const { body, status } = await server.token(businessPortal, redemption(new URL(browser.page.location ?? '')));
    if (status === 200) t.deepEqual(await usable(own, businessPortal, body), DEAD, JSON.stringify(body));
    else t.is(status, 400);
  }
  t.true(await until(async () => (await server.house.database.all('SELECT * FROM grant_subjects', [])).length === 0));
});

test('F3 signing out leaves nothing to end: the portal was told, and the row is swept', async (t) => {
  const own = await world(t);
  const { server, acting, wang, business, businessPortal } = own;
  const ref = acting.add(wang, BRIDGES, { mandate: mandateOf('mdt_out') });
  await enter(own, businessPortal, ref, server.browser());
  await server.house.sessionEnds.endAll(wang, 'test');
  acting.remove(ref);
  await server.house.subjectEnds.ended({ mandateId: 'mdt_out' }, 'revoked');
  t.true(await until(async () => business.told.length > 0, SOON_MS));
  t.deepEqual(await allTold(server, 'acting.ended'), []);
  t.is(business.told.length, 1);
});

const NOBODY_CHANGED: Pick<Acting, 'find' | 'noteUse' | 'subjectsOf'> = new ListedActing();

async function rowsOf(database: Database, count: number): Promise<void> {
  const store = createSqlArtifacts(database);
  const expiresAt = nowSeconds() + 3600;
  await database.write(async (tx) => {
    for (let at = 0; at < count; at += 1) {
      const grantId = `gr_${String(at).padStart(4, '0')}`;
      const subject = {
        kind: 'legal',
        ref: `pst_${at}`,
        role: 'agent',
        ...TEA,
        category: '91',
        mandate: mandateOf('m'),
      } as const;
      await saveGrantSubject(tx, { grantId, personId: 'psn_a', clientId: 'rp_a', sessionUid: 's', subject, expiresAt });
    }
  });
  await store.apply(
    Array.from({ length: count }, (_, at) => ({
      kind: 'put' as const,
      model: 'Grant',
      id: `gr_${String(at).padStart(4, '0')}`,
      payload: {},
      keys: {},
      expiresAt,
    })),
  );
}

for (const [engine, open, runs] of [
  ['sqlite', sqliteDatabase, embeddedTest],
  ['postgres', postgresDatabase, postgresTest],
] as const) {
  runs(`F3 several nodes that end the same grants at once end each once (${engine})`, async (t) => {
    const database = await open(t);
    const ledger = testLedger(database);
    const ends = [1, 2, 3].map(() => createSubjectEnds({ database, store: createSqlArtifacts(database), ledger }));
    await rowsOf(database, 250);
    await Promise.all(ends.map(({ ended }) => ended({ mandateId: 'm' }, 'revoked')));
    const told = (await ledgerEntries(database, 'acting.ended')).length;
    t.is(told, 250);
    t.deepEqual(await database.all<GrantSubjectRow>('SELECT * FROM grant_subjects', []), []);
    t.is((await database.all("SELECT id FROM artifacts WHERE model = 'Grant'", [])).length, 0);
  });

  runs(`F3 the walk comes round to every grant, some at a time (${engine})`, async (t) => {
    const database = await open(t);
    const store = createSqlArtifacts(database);
    const ends = createSubjectEnds({ database, store, ledger: testLedger(database) });
    await rowsOf(database, 250);
    const watch = startSubjectWatch({
      database,
      acting: NOBODY_CHANGED,
      ends,
      relyingParties: { find: async () => undefined },
      intervalMs: 3_600_000,
      onError: (error) => t.fail(String(error)),
    });
    const counts = [await watch.round(), await watch.round(), await watch.round(), await watch.round()];
    t.deepEqual(counts, [100, 100, 50, 0]);
    await watch.stop();
  });
}
