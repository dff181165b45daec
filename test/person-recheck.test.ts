import test, { type ExecutionContext } from 'ava';
import { runRecheck } from '../src/commands/person-recheck.ts';
import { createDocumentExpiry } from '../src/people/document-expiry.ts';
import { todayInChina } from '../src/people/documents/birth-date.ts';
import type { DocumentType } from '../src/people/documents/document.ts';
import { parseDocument } from '../src/people/documents/parse.ts';
import type { LevelFall } from '../src/people/person-level.ts';
import { createPersonRecheck, type PersonRecheckSources } from '../src/people/person-recheck.ts';
import type { Persons } from '../src/people/persons.ts';
import { createDoubt } from '../src/people/recheck-doubt.ts';
import type { IdentityClaim, IdentitySource, IdentityVerdict } from '../src/proofing/identity-source.ts';
import type { AssuranceLevel } from '../src/proofing/levels.ts';
import { SAMPLE_PEOPLE } from '../src/proofing/sample-population-register.ts';
import { nightlyJobs } from '../src/proofing-doors.ts';
import { turnClock } from '../src/shared/clock.ts';
import type { Database } from '../src/storage/database.ts';
import { runNightlyJob } from '../src/storage/nightly-job.ts';
import { nightlyJobStatus } from '../src/storage/nightly-lease.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { ledgerEntries, testLedger } from './support/ledger.ts';
import { addPerson, idNumberOf, testPersons } from './support/people.ts';
import { opened, signedRegister } from './support/registers.ts';
import { startServer, WANG } from './support/server.ts';
import { allTold } from './support/told-events.ts';
import { until } from './support/waiting.ts';

const DAY_MS = 86_400_000;
const DAYS_AFTER = 30;
const ENGINES = [
  { engine: 'sqlite', engineTest: embeddedTest, open: sqliteDatabase },
  { engine: 'postgres', engineTest: postgresTest, open: postgresDatabase },
] as const;

test.afterEach.always(() => turnClock(0));

/** Answers as it is told, and remembers whom it was asked about. */
function register(verdict: (claim: IdentityClaim) => IdentityVerdict) {
  const asked: string[] = [];
  const source: IdentitySource = {
    name: 'population-register',
    async check(claim) {
      asked.push(claim.idNumber);
      return verdict(claim);
    },
  };
  return { source, asked };
}

const addSample = (persons: Persons, at: number, ial: AssuranceLevel = 2): Promise<string> => {
  const { idNumber, name } = SAMPLE_PEOPLE[at]!;
  return addPerson(persons, { idNumber: idNumberOf(idNumber), name, ial, origin: 'test', verifiedSource: 'x' });
};

const recheckOf = (
  database: Database,
  persons: Persons,
  source: IdentitySource,
  more: Partial<PersonRecheckSources> = {},
) =>
  createPersonRecheck({
    database,
    persons,
    register: source,
    perSecond: 100,
    afterDays: DAYS_AFTER,
    doubt: { mismatchPercentMax: 100 },
    actor: 'system',
    ...more,
  });

const levels = async (persons: Persons, ids: readonly string[]): Promise<readonly (number | undefined)[]> =>
  Promise.all(ids.map(async (id) => (await persons.find(id))?.ial));

/** Where a register with a clock of its own is asked, time is not turned: the last check is moved instead. */
const LONG_AGO = 'UPDATE identity_documents SET verified_at = 1, created_at = 1';

const later = (days: number): void => turnClock(days * DAY_MS);

for (const { engine, engineTest, open } of ENGINES) {
  engineTest.serial(`a level changes in one way only, with its event, and a fall is told (${engine})`, async (t) => {
    const database = await open(t);
    const told: (readonly [string, LevelFall])[] = [];
    const fell: (readonly [string, number])[] = [];
    const persons = testPersons(database, {
      tell: async (_, id, fall) => void told.push([id, fall]),
      levelFell: async (id, ial) => void fell.push([id, ial]),
    });
    const id = await addSample(persons, 0);
    const by = { origin: 'counter', source: 'counter' } as const;
    const rose = await persons.setLevel(id, { ial: 4, reason: 'proven', ...by });
    t.deepEqual(rose, { outcome: 'changed', before: 2, after: 4 });
    t.deepEqual([told, fell], [[], []]);
    t.is((await persons.profile(id))?.ial, 4, 'nothing stale is kept');
    const same = await persons.setLevel(id, { ial: 4, reason: 'proven', origin: 'test' });
    t.deepEqual(same, { outcome: 'unchanged' });
    const down = await persons.setLevel(id, { ial: 1, reason: 'credential_withdrawn', origin: 'test' });
    t.deepEqual(down, { outcome: 'changed', before: 4, after: 1 });
    t.deepEqual(told, [[id, { before: 4, after: 1, reason: 'credential_withdrawn' }]]);
    t.deepEqual(fell, [[id, 1]]);
    t.deepEqual(await persons.setLevel('psn_nobody', { ial: 1, reason: 'proven', origin: 'test' }), {
      outcome: 'unknown',
    });
    const events = await ledgerEntries(database, 'identity.level-changed');
    t.deepEqual(
      events.map(({ subject, data }) => ({ subject, data })),
      [
        { subject: id, data: { origin: 'counter', before: 2, after: 4, reason: 'proven', source: 'counter' } },
        { subject: id, data: { origin: 'test', before: 4, after: 1, reason: 'credential_withdrawn' } },
      ],
    );
  });

  engineTest.serial(`a fall that cannot be told did not happen (${engine})`, async (t) => {
    const database = await open(t);
    const persons = testPersons(database, { tell: () => Promise.reject(new Error('no room for the notice')) });
    const id = await addSample(persons, 0);
    await t.throwsAsync(persons.setLevel(id, { ial: 1, reason: 'corrected', origin: 'test' }));
    t.is((await persons.find(id))?.ial, 2);
    t.deepEqual(await ledgerEntries(database, 'identity.level-changed'), []);
  });

  engineTest.serial(
    `changes of one level at once stand in line: each begins where the other ended (${engine})`,
    async (t) => {
      const database = await open(t);
      const persons = testPersons(database);
      const id = await addSample(persons, 0);
      const wanted: readonly AssuranceLevel[] = [1, 3, 4, 2, 3, 1, 4, 0];
      await Promise.all(wanted.map((ial) => persons.setLevel(id, { ial, reason: 'corrected', origin: 'test' })));
      let level = 2;
      for (const { data } of await ledgerEntries(database, 'identity.level-changed')) {
        t.is(data.before, level);
        level = Number(data.after);
      }
      t.is((await persons.find(id))?.ial, level as AssuranceLevel);
    },
  );

  engineTest.serial(`X12 at night a mismatch lowers a level, and silence changes nothing (${engine})`, async (t) => {
    const database = await open(t);
    const told: string[] = [];
    const persons = testPersons(database, { tell: async (_, id) => void told.push(id) });
    const [stays, falls, silent, weak] = [
      await addSample(persons, 0, 3),
      await addSample(persons, 1, 4),
      await addSample(persons, 2, 2),
      await addSample(persons, 3, 1),
    ] as [string, string, string, string];
    const { source, asked } = register(({ idNumber }) => {
      if (idNumber === SAMPLE_PEOPLE[1]?.idNumber) return 'mismatch';
      return idNumber === SAMPLE_PEOPLE[2]?.idNumber ? 'unavailable' : 'match';
    });
    const job = recheckOf(database, persons, source);
    later(DAYS_AFTER - 1);
    t.is(await runNightlyJob({ database, job, stallPauseMs: 1 }), 'finished');
    t.deepEqual(asked, [], 'the last check is not old yet');
    later(DAYS_AFTER + 1);
    t.is(await runNightlyJob({ database, job, stallPauseMs: 1 }), 'finished');
    t.deepEqual(
      [...asked].sort(),
      SAMPLE_PEOPLE.slice(0, 3)
        .map(({ idNumber }) => idNumber)
        .sort(),
    );
    t.deepEqual(await levels(persons, [stays, falls, silent, weak]), [3, 1, 2, 1]);
    t.deepEqual(told, [falls]);
    t.like(await nightlyJobStatus(database, job.name), {
      counts: { match: 1, mismatch: 1, unavailable: 1 },
      handled: 4,
    });
    const [event, ...others] = await ledgerEntries(database, 'identity.level-changed');
    t.deepEqual(others, []);
    t.like(event, {
      subject: falls,
      actor: 'system',
      data: { before: 4, after: 1, reason: 'register_mismatch', source: 'population-register', origin: 'recheck' },
    });
    t.is((await persons.documents(falls))[0]?.proof.level, 1, 'nor does the document carry it any more');

    asked.length = 0;
    t.is(await runNightlyJob({ database, job, stallPauseMs: 1 }), 'finished');
    t.deepEqual(
      new Set(asked),
      new Set([SAMPLE_PEOPLE[2]?.idNumber]),
      'who was not judged is asked again the next time',
    );
    later(2 * DAYS_AFTER + 2);
    asked.length = 0;
    await runNightlyJob({ database, job, stallPauseMs: 1 });
    t.deepEqual([...new Set(asked)].sort(), [0, 2].map((at) => SAMPLE_PEOPLE[at]!.idNumber).sort());
  });
}

test.serial('two servers at once ask about everybody once', async (t) => {
  const database = await sqliteDatabase(t);
  const persons = testPersons(database);
  for (const at of SAMPLE_PEOPLE.keys()) await addSample(persons, at);
  later(DAYS_AFTER + 1);
  const { source, asked } = register(() => 'match');
  const slow: IdentitySource = {
    ...source,
    async check(claim) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      return source.check(claim);
    },
  };
  const round = () => runNightlyJob({ database, job: recheckOf(database, persons, slow) });
  const outcomes = await Promise.all([round(), round(), round()]);
  t.deepEqual(outcomes.sort(), ['busy', 'busy', 'finished']);
  t.is(asked.length, SAMPLE_PEOPLE.length);
  t.is(new Set(asked).size, SAMPLE_PEOPLE.length);
});

test.serial('whoever is closed, or gave no plaintext identity, is not asked about', async (t) => {
  const database = await sqliteDatabase(t);
  const persons = testPersons(database);
  const closed = await addSample(persons, 0);
  const disabled = await addSample(persons, 1);
  await persons.disable(disabled, 'test');
  const document = parseDocument('net_number', 'CN', 'AB12cd34EF56gh78IJ90');
  if (!document.ok) return t.fail();
  const net = await addPerson(persons, { document: document.document, ial: 3, origin: 'test' });
  await database.run("UPDATE persons SET status = 'closed' WHERE id = $1", [closed]);
  later(DAYS_AFTER + 1);
  const { source, asked } = register(() => 'mismatch');
  const job = recheckOf(database, persons, source);
  await runNightlyJob({ database, job, stallPauseMs: 1 });
  t.deepEqual(asked, [SAMPLE_PEOPLE[1]?.idNumber]);
  t.deepEqual(await levels(persons, [closed, disabled, net]), [2, 1, 3]);
  t.like((await nightlyJobStatus(database, job.name))?.counts, { skipped: 1 });
});

test.serial('X12 a dead register stops the walk where it is, and nobody is passed over when it is back', async (t) => {
  const database = await sqliteDatabase(t);
  const persons = testPersons(database);
  const ids: string[] = [];
  for (const at of SAMPLE_PEOPLE.keys()) ids.push(await addSample(persons, at));
  const { server, settings } = await signedRegister(t);
  const { population } = opened(t, { ...settings, timeoutMs: 20_000, circuitOpenMs: 100, circuitTrials: 1 });
  await database.run(LONG_AGO, []);
  server.mood = 'down';
  const job = recheckOf(database, persons, population, { perSecond: 5 });
  const ending = new AbortController();
  const stops = setTimeout(() => ending.abort(), 1_000);
  t.is(await runNightlyJob({ database, job, signal: ending.signal, stallPauseMs: 400 }), 'paused');
  clearTimeout(stops);
  t.like(await nightlyJobStatus(database, job.name), { cursor: undefined, handled: 0 });
  t.deepEqual(new Set(await levels(persons, ids)), new Set([2]));
  t.is((await ledgerEntries(database, 'identity.level-changed')).length, 0);
  server.mood = 'well';
  // The circuit stays open longer with each trial that failed; one at a time until it has closed again.
  t.true(await until(async () => (await population.check(SAMPLE_PEOPLE[0]!)) === 'match'));
  t.is(await runNightlyJob({ database, job, stallPauseMs: 10 }), 'finished');
  t.deepEqual((await nightlyJobStatus(database, job.name))?.counts, { match: SAMPLE_PEOPLE.length });
});

test.serial('X7 a server that is told to go asks about nobody else, and passes over nobody', async (t) => {
  const database = await sqliteDatabase(t);
  const persons = testPersons(database);
  for (const at of SAMPLE_PEOPLE.keys()) await addSample(persons, at);
  later(DAYS_AFTER + 1);
  const ending = new AbortController();
  const { source, asked } = register(() => 'match');
  const job = recheckOf(database, persons, {
    ...source,
    async check(claim) {
      if (asked.length === 5) ending.abort();
      return source.check(claim);
    },
  });
  t.is(await runNightlyJob({ database, job, signal: ending.signal }), 'paused');
  t.true(asked.length < 10, `${asked.length} asked`);
  t.is((await nightlyJobStatus(database, job.name))?.handled, 0);
  t.is(await runNightlyJob({ database, job: recheckOf(database, persons, source) }), 'finished');
  t.is(new Set(asked).size, SAMPLE_PEOPLE.length);
});

test.serial('a register that suddenly finds nobody is doubted, and hardly anybody falls', async (t) => {
  const database = await sqliteDatabase(t);
  const persons = testPersons(database);
  const ids: string[] = [];
  for (const at of SAMPLE_PEOPLE.keys()) ids.push(await addSample(persons, at));
  later(DAYS_AFTER + 1);
  let doubts = 0;
  const { source } = register(() => 'mismatch');
  const job = recheckOf(database, persons, source, {
    doubt: { mismatchPercentMax: 5 },
    onDoubt: () => {
      doubts += 1;
    },
  });
  t.is(await runNightlyJob({ database, job, stallPauseMs: 1 }), 'finished');
  t.true(doubts > 0);
  t.deepEqual(new Set(await levels(persons, ids)), new Set([2]));
  t.like((await nightlyJobStatus(database, job.name))?.counts, { mismatch: 0, doubted: SAMPLE_PEOPLE.length });
});

test('when mismatches are believed: a few always, many only where they are a small share', (t) => {
  const cases: readonly (readonly [string, readonly (readonly [number, number])[], boolean])[] = [
    [
      'a few among few',
      [
        [1, 1],
        [0, 2],
        [2, 3],
      ],
      false,
    ],
    ['nine and nothing else', [[0, 9]], false],
    ['ten and nothing else', [[0, 10]], true],
    [
      'ten among two hundred',
      [
        [190, 0],
        [0, 10],
      ],
      false,
    ],
    [
      'eleven among two hundred',
      [
        [189, 0],
        [0, 11],
      ],
      true,
    ],
    [
      'many, but this step has none',
      [
        [0, 50],
        [20, 0],
      ],
      false,
    ],
    ['what is long ago is forgotten', [[0, 40], ...Array(30).fill([20, 0]), [19, 1]], false],
  ];
  for (const [title, steps, doubted] of cases) {
    const doubt = createDoubt({ mismatchPercentMax: 5 });
    t.is(steps.map(([matches, mismatches]) => doubt.arises(matches, mismatches)).at(-1), doubted, title);
  }
});

async function withDocuments(t: ExecutionContext, database: Database) {
  const persons = testPersons(database);
  const ledger = testLedger(database);
  const job = createDocumentExpiry({ database, persons, ledger, actor: 'system' });
  const day = (days: number): string =>
    new Date(Date.parse(`${todayInChina()}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
  const add = (at: number, ial: AssuranceLevel, validTo?: string) => {
    const { idNumber, name } = SAMPLE_PEOPLE[at]!;
    const proof = { verifiedSource: 'population-register', ...(validTo === undefined ? {} : { validTo }) };
    return addPerson(persons, { idNumber: idNumberOf(idNumber), name, ial, origin: 'test', ...proof });
  };
  const addDocument = async (
    id: string,
    type: DocumentType,
    number: string,
    level: AssuranceLevel,
    validTo: string,
  ) => {
    const outcome = parseDocument(type, 'CN', number);
    if (!outcome.ok) throw new Error(outcome.reason);
    const added = { document: outcome.document, proof: { level }, validTo };
    t.true((await persons.addDocument(id, added, { origin: 'test' })).ok);
  };
  return { persons, job, day, add, addDocument };
}

for (const { engine, engineTest, open } of ENGINES) {
  engineTest.serial(
    `a document carries a level up to its last day, and another one may carry on (${engine})`,
    async (t) => {
      const database = await open(t);
      const { persons, job, day, add, addDocument } = await withDocuments(t, database);
      const forever = await add(0, 3);
      const today = await add(1, 3, day(0));
      const ended = await add(2, 3, day(-1));
      const carried = await add(3, 3, day(-1));
      await addDocument(carried, 'prc_passport', 'E12345678', 2, day(0));
      const both = await add(4, 4, day(-10));
      await addDocument(both, 'prc_passport', 'E12345679', 3, day(-5));
      const low = await add(5, 1, day(-3));
      const everybody = [forever, today, ended, carried, both, low];
      t.is(await job.count(), 4);
      t.is(await runNightlyJob({ database, job, stallPauseMs: 1 }), 'finished');
      t.deepEqual(await levels(persons, everybody), [3, 3, 1, 2, 1, 1]);
      t.like(await nightlyJobStatus(database, job.name), { handled: 4, counts: { fallen: 3 } });
      t.is((await ledgerEntries(database, 'document.expired')).length, 4);
      const events = await ledgerEntries(database, 'identity.level-changed');
      t.deepEqual(
        events.map(({ actor, data }) => [actor, data.reason, data.before, data.after]).sort(),
        [
          ['system', 'document_expired', 3, 1],
          ['system', 'document_expired', 3, 2],
          ['system', 'document_expired', 4, 1],
        ].sort(),
      );
      t.is(await job.count(), 0);
      t.is(await runNightlyJob({ database, job, stallPauseMs: 1 }), 'finished');
      t.is((await ledgerEntries(database, 'document.expired')).length, 4, 'nothing is done twice');
    },
  );
}

test.serial('an operator has it done, a part at a time, and sees how far it has come', async (t) => {
  const database = await sqliteDatabase(t);
  const persons = testPersons(database);
  for (const at of SAMPLE_PEOPLE.keys()) await addSample(persons, at);
  later(DAYS_AFTER + 1);
  const { source, asked } = register(({ name }) => (name === '王小明' ? 'mismatch' : 'match'));
  const jobs = [recheckOf(database, persons, source)];
  const command = async (...args: readonly string[]) => {
    const said = { stdout: '', stderr: '' };
    const exitCode = await runRecheck(args, {
      database,
      jobs,
      stdout: { write: (text) => (said.stdout += text) },
      stderr: { write: (text) => (said.stderr += text) },
    });
    return { exitCode, ...said };
  };
  t.like(await command('--status'), {
    exitCode: 0,
    stdout: 'document-expiry   never, 0 of 0\nperson-recheck    never, 0 of 0\n',
  });
  const part = await command('--now', '--limit', '5', '--json');
  t.is(part.exitCode, 0, part.stderr);
  t.is(asked.length, 5);
  t.like(JSON.parse(part.stdout), { job: 'person-recheck', state: 'paused', handled: 5, total: 12, finishedAt: null });
  t.is((await command('--now')).exitCode, 0);
  t.is(asked.length, 12);
  const done = await command('--status', '--json');
  t.like(JSON.parse(done.stdout.split('\n')[1] ?? ''), { state: 'finished', handled: 12, match: 11, mismatch: 1 });
  t.regex((await command('--status')).stdout, /person-recheck {4}finished, 12 of 12.*, mismatch 1/);
  for (const words of [
    [],
    ['--now', '--status'],
    ['--limit', '5'],
    ['--now', '--limit', '0'],
    ['--status', 'x'],
    ['--sudo'],
  ]) {
    t.like(await command(...words), { exitCode: 2, stdout: '' }, words.join(' '));
  }
  await database.run("UPDATE nightly_jobs SET lease_until_ms = $1 WHERE name = 'person-recheck'", [
    Date.now() + (DAYS_AFTER + 1) * DAY_MS + 30_000,
  ]);
  const busy = await command('--now');
  t.is(busy.exitCode, 1);
  t.regex(busy.stderr, /^Another process works on person-recheck/);
});

test.serial(
  'H5 in a whole house a fall is recorded and told to the person, and no number or name stands anywhere',
  async (t) => {
    const { server: adapter, settings } = await signedRegister(t);
    const strict = { window: '00:00-00:00', personsPerSecond: 50, mismatchPercentMax: 100, personsAfterDays: 1 };
    const server = await startServer(t, {
      registers: { population: 'http', populationHttp: { ...settings, timeoutMs: 20_000 } },
      recheck: strict,
    });
    const wang = await server.addPerson(WANG);
    const somebody = await server.addPerson({ idNumber: '339900198312240119', name: '林志强的旧名' });
    await server.house.database.run(LONG_AGO, []);
    for (const job of nightlyJobs(server.house, { actor: 'system' })) {
      t.is(await runNightlyJob({ database: server.house.database, job, stallPauseMs: 1 }), 'finished');
    }
    t.true(adapter.asked() >= 2);
    t.deepEqual(await levels(server.house.persons, [wang, somebody]), [2, 1]);
    const told = await allTold(server, 'identity.level-changed');
    t.is(told.length, 1);
    t.like(told[0], { actor: 'system', subject: somebody, data: { before: 2, after: 1, reason: 'register_mismatch' } });
    const notices = await allTold(server, 'person.notified', { subject: somebody });
    t.deepEqual(
      notices.map(({ data }) => data),
      [{ notice: 'level-fell' }],
    );
    const everything = (await server.events()).map((entry) => JSON.stringify(entry)).join();
    t.false(everything.includes('339900198312240119'));
    t.is(JSON.stringify(told).includes('林志强'), false);
  },
);
