import test, { type ExecutionContext } from 'ava';
import { DEMO_PASSWORD } from '../src/commands/demo.ts';
import { run } from '../src/commands/demo-seed.ts';
import { syntheticCompany } from '../src/legal-persons/seeding/synthetic-companies.ts';
import { parseUscc } from '../src/legal-persons/uscc.ts';
import { parseDocument } from '../src/people/documents/parse.ts';
import { SYNTHETIC_PEOPLE_MAX, syntheticPerson } from '../src/people/seeding/synthetic-people.ts';
import { postgresStore, postgresTest } from './support/databases.ts';
import { idNumberOf } from './support/people.ts';
import { startServer, type TestServer } from './support/server.ts';
import { oneTold } from './support/told-events.ts';

const MANY = 60_000;
/** Written down here so that a million people of one version are those of the next. */
const FIRST_NUMBERS = ['339901192001010016', '449909194705267624'];

async function seed(
  { house }: Pick<TestServer, 'house'>,
  words: string,
  signal?: AbortSignal,
): Promise<{ readonly exitCode: number; readonly stdout: string; readonly stderr: string }> {
  const output = { stdout: '', stderr: '' };
  const exitCode = await run(['seed', ...words.split(' ')], {
    house,
    stdout: { write: (text) => (output.stdout += text) },
    stderr: { write: (text) => (output.stderr += text) },
    ...(signal && { signal }),
  });
  return { exitCode, ...output };
}

async function count({ house }: Pick<TestServer, 'house'>, of: string): Promise<number> {
  const row = await house.database.get<{ n: number }>(`SELECT count(*) AS n FROM ${of}`, []);
  return Number(row?.n);
}

const seeded = async (t: ExecutionContext, server: TestServer, words: string): Promise<void> => {
  const { exitCode, stderr } = await seed(server, words);
  t.is(exitCode, 0, stderr);
};

test('synthetic people have valid numbers, each another, of districts that never were', (t) => {
  const numbers = new Set<string>();
  const days = new Set<string>();
  const sequences = new Set<string>();
  const places = Array.from({ length: MANY }, (_place, at) => at);
  for (const place of [...places, 9_999_999, 1_234_567_890, SYNTHETIC_PEOPLE_MAX - 1]) {
    const { idNumber, name } = syntheticPerson(place);
    const parsed = parseDocument('resident_id_card', 'CN', idNumber);
    if (!parsed.ok) return t.fail(`${idNumber}: ${parsed.reason}`);
    if (!/^[34][34]99(?!00)/.test(idNumber) || !/^\p{Script=Han}{2,3}$/u.test(name)) return t.fail(idNumber);
    numbers.add(idNumber);
    days.add(idNumber.slice(6, 14));
    sequences.add(idNumber.slice(14, 17));
  }
  t.is(numbers.size, MANY + 3);
  t.is(days.size, 31_777, 'every day from 1920 to 2006 had its turn');
  t.true(sequences.size > 900);
  t.deepEqual(
    [0, 1].map((place) => syntheticPerson(place).idNumber as string),
    FIRST_NUMBERS,
  );
  t.throws(() => syntheticPerson(SYNTHETIC_PEOPLE_MAX), { instanceOf: RangeError });
});

test('one birthday of many districts has no number twice', (t) => {
  const days = 31_777;
  const numbers = Array.from({ length: 198 * 995 }, (_round, round) => syntheticPerson(round * days).idNumber);
  t.is(new Set(numbers).size, 198 * 995);
  t.is(new Set(numbers.map((number) => number.slice(6, 14))).size, 1);
});

test('synthetic companies have valid codes, each another', (t) => {
  const codes = Array.from({ length: MANY }, (_place, at) => syntheticCompany(at).uscc);
  t.is(new Set(codes).size, MANY);
  for (const code of codes) {
    const parsed = parseUscc(code, { organisationCode: 'refuse' });
    if (!parsed.ok || parsed.warnings.length > 0 || !code.startsWith('913399')) return t.fail(code);
  }
  t.regex(syntheticCompany(0).name, /^示例.+有限公司$/);
});

test('seeded people are as if they had been added one by one, and one event tells of all', async (t) => {
  const server = await startServer(t);
  await seeded(t, server, '--people 300 --companies 40 --phones 50 --with-password 2');
  const { house } = server;
  for (const part of ['persons', 'identity_documents WHERE is_primary = 1']) t.is(await count(server, part), 300);
  const phones = await count(server, 'sign_in_identifiers');
  t.true(phones > 100 && phones < 200, `${phones} phones`);
  t.is(await count(server, 'persons WHERE phone_verified_at IS NOT NULL AND phone_sealed IS NOT NULL'), phones);
  t.is(await count(server, 'passwords'), 2);

  const { idNumber, name } = syntheticPerson(123);
  const found = (await house.persons.findByIdNumber(idNumber))!;
  const profile = (await house.persons.profile(found.id))!;
  t.like(profile, { name, idNumber, status: 'active', ial: 1 });
  t.is(profile.birthDate?.replaceAll('-', ''), idNumber.slice(6, 14));
  const added = await house.persons.add({
    idNumber: idNumberOf('339900199001011014'),
    name: '王小明',
    ial: 1,
    origin: 'test',
  });
  const shape = async (id: string): Promise<readonly unknown[]> => {
    const rows = ['persons WHERE id', 'identity_documents WHERE person_id'].map(async (of) =>
      house.database.get<Record<string, unknown>>(`SELECT * FROM ${of} = $1`, [id]),
    );
    return (await Promise.all(rows)).map((row) =>
      Object.entries(row!).map(([column, value]) => [
        column,
        value === null || typeof value === 'number' ? value : typeof value,
      ]),
    );
  };
  const withoutPhone = await house.database.get<{ id: string }>(
    'SELECT id FROM persons WHERE phone_sealed IS NULL AND id <> $1',
    [added.ok ? added.person.id : ''],
  );
  const undated = (shown: readonly unknown[]): string => JSON.stringify(shown).replaceAll(/(_at",)\d{10}/g, '$1"time"');
  t.is(undated(await shape(withoutPhone!.id)), undated(await shape(added.ok ? added.person.id : '')));

  t.deepEqual((await oneTold('demo.seeded', {}, server)).data, { people: 300, companies: 40 });
  t.is((await server.events('person.added')).length, 1, 'the one who was added by hand');
  t.is((await server.events('password.changed')).length, 0);
});

test('each seeded company has its legal representative', async (t) => {
  const server = await startServer(t);
  const { house } = server;
  t.is((await seed(server, '--people 0 --companies 3')).exitCode, 1, 'nobody could represent them');
  t.is(await count(server, 'legal_persons'), 0);
  await seeded(t, server, '--people 5 --companies 12');
  t.is(await count(server, "legal_person_posts WHERE role = 'legal_representative' AND status = 'active'"), 12);
  const company = (await house.legalPersons.findByUscc(syntheticCompany(7).uscc))!;
  t.like(await house.legalPersons.profile(company.id), { ...syntheticCompany(7), status: 'active', category: '91' });
  const second = (await house.persons.findByIdNumber(syntheticPerson(2).idNumber))!;
  t.like((await house.legalPersons.postsOf({ legalPersonId: company.id }))[0], { personId: second.id });
  t.is((await house.legalPersons.postsOf({ personId: second.id })).length, 2, 'and of the third company');
});

test('a further run goes on after the last one; a stopped one leaves whole people only', async (t) => {
  const server = await startServer(t);
  const { house } = server;
  await seeded(t, server, '--people 150');
  await seeded(t, server, '--people 50');
  t.is(await count(server, 'persons'), 200);
  t.truthy(await house.persons.findByIdNumber(syntheticPerson(199).idNumber));
  t.is(await house.persons.findByIdNumber(syntheticPerson(200).idNumber), undefined);

  const ending = new AbortController();
  const stopping = seed(server, '--people 1000000 --phones 10', ending.signal);
  while ((await count(server, 'persons')) === 200) await new Promise((resolve) => setTimeout(resolve, 20));
  ending.abort();
  const { exitCode, stderr } = await stopping;
  t.is(exitCode, 1);
  const people = await count(server, 'persons');
  t.true(people > 200 && people < 100_000, `${people}`);
  t.true(
    stderr.endsWith(`For the rest: tongban demo seed --people ${1_000_200 - people} --companies 0 --phones 10\n`),
    stderr,
  );
  t.is(await count(server, 'identity_documents WHERE is_primary = 1'), people);
  t.is(await count(server, 'sign_in_identifiers'), await count(server, 'persons WHERE phone_sealed IS NOT NULL'));
  t.is((await server.events('demo.seeded')).length, 3);
  await seeded(t, server, '--people 5');
  t.truthy(await house.persons.findByIdNumber(syntheticPerson(people + 4).idNumber));
});

test('what a killed run had made is told by the next, and whoever came by themselves is passed over', async (t) => {
  const server = await startServer(t);
  const { house } = server;
  const { idNumber } = syntheticPerson(3);
  await house.persons.add({ idNumber, name: '赵雅琴', ial: 2, origin: 'test' });
  await seeded(t, server, '--people 10');
  t.is(await count(server, 'persons'), 10);
  t.like(await house.persons.findByIdNumber(idNumber), { ial: 2 });
  const untold = JSON.stringify({ people: 10, companies: 0, peopleTold: 4, companiesTold: 0 });
  await house.database.run("UPDATE settings SET value = $1 WHERE name = 'demo.seeded'", [untold]);
  await seeded(t, server, '--people 2');
  t.deepEqual(
    (await server.events('demo.seeded')).map(({ data }) => data.people),
    [10, 8],
  );
});

test('two runs at once make nobody twice: the one that comes too late says so', async (t) => {
  const server = await startServer(t);
  const outcomes = await Promise.all([seed(server, '--people 9000'), seed(server, '--people 9000')]);
  const made = await count(server, 'persons');
  t.true(outcomes.some(({ exitCode }) => exitCode === 0));
  for (const { exitCode, stderr } of outcomes) if (exitCode !== 0) t.regex(stderr, /^Another process/);
  t.true(made >= 9000 && made <= 18_000, `${made}`);
  t.is(await count(server, 'identity_documents WHERE is_primary = 1'), made);
});

test('a seeded person signs in with the password of the demonstration, by number and by phone', async (t) => {
  // The first of them is a hundred years old, and would be asked for a code as well.
  const server = await startServer(t, { defence: { elderFromYears: 120 } });
  await seeded(t, server, '--people 30 --phones 100 --with-password 20');
  const portal = await server.addPortal();
  for (const identifier of [syntheticPerson(0).idNumber, syntheticPerson(19).phone]) {
    const callback = await server.signIn(server.browser(), portal, { identifier, password: DEMO_PASSWORD });
    t.truthy(callback.searchParams.get('code'), identifier);
  }
  const without = server.signIn(server.browser(), portal, {
    identifier: syntheticPerson(20).idNumber,
    password: DEMO_PASSWORD,
  });
  await t.throwsAsync(without, { message: /no callback/ });
});

test('production makes nobody, and what is not understood is said', async (t) => {
  const { house, ...server } = await startServer(t);
  const production = { ...house, config: { ...house.config, profile: 'production' as const } };
  const refused = await seed({ house: production }, '--people 10');
  t.is(refused.exitCode, 1);
  t.regex(refused.stderr, /no place in production/);
  for (const words of [
    '',
    '--people -1',
    '--people 10000001',
    '--people 1.5',
    '--people 1 --phones 101',
    '--people 1 x',
  ]) {
    t.is((await seed({ house }, words)).exitCode, 2, words);
  }
  t.is(await count({ house }, 'persons'), 0);
  t.is((await server.events('demo.seeded')).length, 0);
});

postgresTest('PostgreSQL is seeded the same way', async (t) => {
  const server = await startServer(t, { database: { url: await postgresStore(t) } });
  await seeded(t, server, '--people 450 --companies 30 --phones 10 --with-password 3');
  await seeded(t, server, '--people 10');
  for (const part of ['persons', 'identity_documents WHERE is_primary = 1']) t.is(await count(server, part), 460);
  t.is(await count(server, 'legal_person_posts'), 30);
  const { idNumber, name } = syntheticPerson(455);
  const found = (await server.house.persons.findByIdNumber(idNumber))!;
  t.is((await server.house.persons.profile(found.id))?.name, name);
  const portal = await server.addPortal();
  const options = { identifier: syntheticPerson(1).idNumber, password: DEMO_PASSWORD };
  t.truthy((await server.signIn(server.browser(), portal, options)).searchParams.get('code'));
});
