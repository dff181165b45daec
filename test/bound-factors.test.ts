import type { ExecutionContext } from 'ava';
import { hmacKey } from '../src/crypto/digests.ts';
import { createBoundFactors, FACTORS_MAX, type FactorChange, type NewFactor } from '../src/factors/bound-factors.ts';
import { createFactorChallenges } from '../src/factors/factor-challenges.ts';
import { createFactorPolicies } from '../src/factors/factor-policies.ts';
import { createRecoveryCodes } from '../src/factors/recovery-codes.ts';
import { turnClock } from '../src/shared/clock.ts';
import type { Database } from '../src/storage/database.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { ledgerEntries, testLedger } from './support/ledger.ts';
import { addPerson, documentOf, idNumberOf, SEALER, testPersons } from './support/people.ts';
import { LI, startServer, WANG } from './support/server.ts';

const ASKED: FactorChange = { origin: 'test' };
const SECRET = 'a secret that must not be readable';

const ENGINES = [
  ['SQLite', sqliteDatabase, embeddedTest],
  ['PostgreSQL', postgresDatabase, postgresTest],
] as const;

async function twoPeople(database: Database) {
  const persons = testPersons(database);
  const add = ({ idNumber, name }: typeof WANG | typeof LI) =>
    addPerson(persons, { idNumber: idNumberOf(idNumber), name, ial: 2, origin: 'test' });
  const factors = createBoundFactors({ database, sealer: SEALER, ledger: testLedger(database) });
  const bind = (factor: Partial<NewFactor> & Pick<NewFactor, 'personId'>) =>
    database.write((tx) =>
      factors.bind(tx, { kind: 'totp', label: '手机', secret: SECRET, state: '0', ...factor }, ASKED),
    );
  return { factors, bind, wang: await add(WANG), li: await add(LI) };
}

/** The id of what was bound. Throws where it was not. */
function idOf(outcome: { readonly ok: boolean; readonly id?: string }): string {
  if (outcome.id === undefined) throw new Error('not bound');
  return outcome.id;
}

for (const [engine, open, on] of ENGINES) {
  const named = (title: string, body: (t: ExecutionContext, database: Database) => Promise<void>): void =>
    on.serial(`${title} (${engine})`, async (t) => body(t, await open(t)));

  named('of two who bind a factor to one person at once the last place goes to one', async (t, database) => {
    const { factors, bind, wang } = await twoPeople(database);
    for (let n = 1; n < FACTORS_MAX; n += 1) idOf(await bind({ personId: wang }));
    const outcomes = await Promise.all([bind({ personId: wang }), bind({ personId: wang })]);
    t.deepEqual(outcomes.map(({ ok }) => ok).sort(), [false, true]);
    t.is((await factors.list(wang)).length, FACTORS_MAX);
  });

  named('D12 recovery codes that are made twice at once are ten, those of the last', async (t, database) => {
    const { wang } = await twoPeople(database);
    const codes = createRecoveryCodes({ database, key: hmacKey(Buffer.alloc(32, 9)) });
    const make = () => database.write((tx) => codes.make(tx, wang));
    await make();
    await Promise.all([make(), make(), make()]);
    t.is((await codes.stock(wang))?.left, 10);
  });

  named('a factor is bound, renamed and removed by its person alone, each with its event', async (t, database) => {
    const { factors, bind, wang, li } = await twoPeople(database);
    const id = idOf(await bind({ personId: wang, label: ' 我的\n手机\u202e ' }));
    t.like(await factors.list(wang), { length: 1, 0: { id, kind: 'totp', personId: wang, label: '我的 手机' } });
    t.deepEqual(await factors.list(li), []);
    t.deepEqual([...(await factors.kindsOf(wang))], ['totp']);
    t.false(await database.write((tx) => factors.rename(tx, li, id, '我的', ASKED)), 'somebody else’s');
    t.is(await database.write((tx) => factors.remove(tx, li, id, { ...ASKED, cause: 'own' })), undefined);
    t.true(await database.write((tx) => factors.rename(tx, wang, id, '平板', ASKED)));
    t.is((await factors.list(wang))[0]?.label, '平板');
    const remove = () => database.write((tx) => factors.remove(tx, wang, id, { ...ASKED, cause: 'own' }));
    t.deepEqual((await Promise.all([remove(), remove()])).filter(Boolean), ['totp'], 'once, also at the same time');
    t.deepEqual(await factors.list(wang), []);
    const details = { origin: 'test', kind: 'totp', factor: id };
    for (const [type, data] of [
      ['factor.bound', details],
      ['factor.renamed', details],
      ['factor.removed', { ...details, cause: 'own' }],
    ] as const) {
      const told = await ledgerEntries(database, type);
      t.is(told.length, 1, type);
      t.like(told[0], { subject: wang, data });
    }
  });

  named('D10 a state is replaced over the value that was seen, once for fifty at once', async (t, database) => {
    const { factors, bind, wang } = await twoPeople(database);
    const id = idOf(await bind({ personId: wang, state: '41' }));
    const use = () => database.write((tx) => factors.use(tx, id, '41', '42'));
    const used = await Promise.all(Array.from({ length: 50 }, use));
    t.is(used.filter(Boolean).length, 1);
    const [record] = await factors.records(wang, 'totp');
    t.like(record, { state: '42', secret: SECRET });
    t.is(typeof record?.lastUsedAt, 'number');
  });

  named('D18 what a factor is known by outside belongs to one person', async (t, database) => {
    const { factors, bind, wang, li } = await twoPeople(database);
    const key = { kind: 'certificate', externalKey: 'fingerprint-1' } as const;
    const outcomes = await Promise.all([bind({ personId: wang, ...key }), bind({ personId: li, ...key })]);
    t.is(outcomes.filter(({ ok }) => ok).length, 1);
    t.is((await factors.byExternalKey('certificate', 'fingerprint-1'))?.externalKey, 'fingerprint-1');
    t.is(await factors.byExternalKey('passkey', 'fingerprint-1'), undefined, 'of another kind');
    t.true((await bind({ personId: li, kind: 'passkey', externalKey: 'fingerprint-1' })).ok);
    for (let more = 0; more < 20; more += 1) await bind({ personId: wang });
    t.deepEqual(await bind({ personId: wang }), { ok: false, reason: 'too_many' });
  });

  named('secrets and names lie sealed for their row: pasted into another they do not open', async (t, database) => {
    const { factors, bind, wang, li } = await twoPeople(database);
    const [mine, theirs] = [idOf(await bind({ personId: wang })), idOf(await bind({ personId: li }))];
    const stored = await database.all<Record<string, unknown>>('SELECT * FROM bound_factors', []);
    for (const row of stored) {
      for (const value of Object.values(row)) {
        if (value instanceof Uint8Array) t.false(Buffer.from(value).includes(SECRET));
        else t.false(String(value).includes('手机'));
      }
    }
    await database.run(
      'UPDATE bound_factors SET secret_sealed = (SELECT secret_sealed FROM bound_factors WHERE id = $1) WHERE id = $2',
      [mine, theirs],
    );
    await t.throwsAsync(factors.records(li, 'totp'), { message: /does not open/ });
    t.is((await factors.records(wang, 'totp')).length, 1);
  });

  named('a token that is given up is in stock again and keeps nothing of who had it', async (t, database) => {
    const { factors, bind, wang } = await twoPeople(database);
    const id = idOf(await bind({ personId: wang, kind: 'otp_token', externalKey: 'T-1', label: '王的令牌' }));
    const kept = idOf(await bind({ personId: wang, kind: 'otp_token', externalKey: 'T-2' }));
    await database.write((tx) => factors.remove(tx, wang, id, { ...ASKED, cause: 'own' }));
    t.is(await factors.byExternalKey('otp_token', 'T-1'), undefined);
    await database.write((tx) => factors.shred(tx, wang));
    t.deepEqual(await factors.list(wang), []);
    const rows = await database.all<{ id: string; person_id: unknown; label_sealed: Uint8Array }>(
      'SELECT id, person_id, label_sealed FROM bound_factors',
      [],
    );
    // Of one moment, and in no order then.
    t.deepEqual(new Map(rows.map((row) => [row.id, row.person_id])), new Map([id, kept].map((one) => [one, null])));
    for (const row of rows) t.is(SEALER.unseal(row.label_sealed, `bound_factors:label_sealed:${row.id}`), '');
  });

  named(
    'D11 D14 a challenge holds for its purpose, person, ceremony and browser, once and for its time',
    async (t, database) => {
      const challenges = createFactorChallenges({ database, sealer: SEALER, key: hmacKey(Buffer.alloc(32, 5)) });
      const bound = { purpose: 'passkey', personId: 'psn_1', binding: 'uid-1', browser: 'browser-1' };
      const put = (content: string) => database.write((tx) => challenges.put(tx, bound, content, 300));
      await put('first');
      await put('second');
      for (const other of [
        { purpose: 'totp' },
        { personId: undefined },
        { binding: 'uid-2' },
        { browser: 'browser-2' },
      ])
        t.is(await challenges.find({ ...bound, ...other }), undefined);
      const held = await challenges.find(bound);
      t.is(held?.content, 'second');
      const taken = await Promise.all(Array.from({ length: 20 }, () => database.write((tx) => held!.take(tx))));
      t.is(taken.filter(Boolean).length, 1);
      t.is(await challenges.find(bound), undefined);
      await put('third');
      const third = await challenges.find(bound);
      await put('fourth');
      t.false(await database.write((tx) => third!.take(tx)), 'another stands in its place');
      t.teardown(() => turnClock(0));
      turnClock(301_000);
      t.is(await challenges.find(bound), undefined);
      t.is(await challenges.sweep(10), 1);
    },
  );

  named('a person’s own demand for a second factor is kept, and each change of it told', async (t, database) => {
    const { wang } = await twoPeople(database);
    const policies = createFactorPolicies({ database, ledger: testLedger(database) });
    t.false((await policies.of(wang)).alwaysAsk);
    for (const alwaysAsk of [true, true, false, true])
      await database.write((tx) => policies.set(tx, wang, { alwaysAsk }, ASKED));
    t.true((await policies.of(wang)).alwaysAsk);
    const told = await ledgerEntries(database, 'factor.policy-changed');
    t.deepEqual(
      told.map(({ data }) => data.alwaysAsk),
      ['yes', 'no', 'yes'],
    );
  });
}

embeddedTest.serial(
  'D13 an account that a second factor guards is not merged away by its password alone, and what it had goes with it',
  async (t) => {
    const server = await startServer(t);
    const { persons, merges, boundFactors, factorPolicies, database, closures, shredding } = server.house;
    const kept = await server.addPerson(WANG);
    const guarded = await addPerson(persons, {
      document: documentOf('foreign_passport', 'K12345678', 'FRA'),
      name: WANG.name,
      ial: 2,
      origin: 'test',
    });
    const merge = () => merges.merge({ keptId: kept, mergedId: guarded }, ASKED);
    const policy = (alwaysAsk: boolean) =>
      database.write((tx) => factorPolicies.set(tx, guarded, { alwaysAsk }, ASKED));
    await policy(true);
    t.like(await merge(), { ok: false, reason: 'has_factors' });
    await policy(false);
    const factor = { kind: 'totp', personId: guarded, label: '', secret: SECRET, state: '0' } as const;
    await database.write((tx) => boundFactors.bind(tx, factor, ASKED));
    t.like(await merge(), { ok: false, reason: 'has_factors' });
    await closures.ask(guarded, ASKED);
    t.teardown(() => turnClock(0));
    turnClock(16 * 86_400_000);
    t.is(await shredding.shred(guarded), 'shredded');
    t.deepEqual(await database.all('SELECT id FROM bound_factors', []), []);
    t.deepEqual(await database.all('SELECT person_id FROM factor_policies', []), []);
  },
);
