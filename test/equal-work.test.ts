import test, { type ExecutionContext } from 'ava';
import { freshPhone } from './support/enrolment.ts';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { identifierOf } from './support/people.ts';
import { listenToWork, type Work, workDone } from './support/request-work.ts';
import { authorizationPath, LI, startServer, type TestPortal, type TestServer, WANG } from './support/server.ts';

/** The register knows all of these; Chen and Zhou have accounts. */
const CHEN = { idNumber: '449900200002290028', name: '陈雨桐' } as const;
const SUN = { idNumber: '339900199906300064', name: '孙丽' } as const;
const WU = { idNumber: '339900196505120042', name: '吴秀英' } as const;
/** Five who have nothing to tell them apart but their numbers. */
const OTHERS = [
  '339900197102030012',
  '339900197203040025',
  '339900197304050038',
  '339900197405060040',
  '339900197506070053',
] as const;
const ROOMY = {
  limits: { registrationsPerAddress: 10_000, failuresPerAddress: 10_000, failuresPerAccount: 50 },
  defence: { proofAfterAddress: 1_000_000, proofAfterNetwork: 1_000_000, proofAfterMinute: 1_000_000 },
  ledger: { checkpointIntervalMs: 10_000 },
} as const;

type Asked = (server: TestServer, browser: HttpBrowser, portal: TestPortal) => Promise<Page>;

let server: TestServer;
let portal: TestPortal;
let own: HttpBrowser;

test.before(async () => {
  listenToWork();
  server = await startServer(undefined, ROOMY);
  portal = await server.addPortal();
  await server.addPerson(WANG);
  for (const person of [CHEN, LI]) {
    const id = await server.addPerson(person);
    const proof = { origin: 'test', verifiedBy: 'test' };
    await server.house.identifiers.bind(id, identifierOf('phone', freshPhone()), proof);
    if (person === LI) await server.house.persons.disable(id, 'test');
  }
  own = server.browser();
  await server.signIn(own, portal);
  // Whoever was just added is looked up by their rows as well, until their copy is sealed in the background.
  await server.house.persons.found.copies?.sealSome('', 100);
  // What nobody's is sealed under is made once a day.
  await recover(WU)(server, server.browser(), portal);
});
test.after.always(() => server.stop());

const ROUNDS = 5;
const READ_KEY = 'SELECT id, key_sealed FROM ledger_subject_keys WHERE subject = ?1';

/** What the last request of a walk costs. Writes of others that shared its commit, now and then, are not counted: the middle of some rounds is taken. */
async function costOf(asked: Asked, from?: HttpBrowser): Promise<Readonly<Record<string, number>>> {
  const works: Readonly<Record<string, number>>[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await asked(server, from ?? server.browser(), portal);
    works.push(counted(workDone()));
  }
  const names = new Set(works.flatMap((work) => Object.keys(work)));
  const middle = (name: string): number => works.map((work) => work[name] ?? 0).sort((one, other) => one - other)[2]!;
  return Object.fromEntries([...names].sort().flatMap((name) => (middle(name) === 0 ? [] : [[name, middle(name)]])));
}

/** How often each statement was asked, and how much was sealed or opened. */
function counted({ statements, ciphers }: Work): Readonly<Record<string, number>> {
  const grouped = Object.entries(Object.groupBy(statements, (sql) => sql));
  return { ciphers, ...Object.fromEntries(grouped.map(([sql, all]) => [sql, all?.length ?? 0])) };
}

/** Every class costs the same statements and ciphers (D9). Rows that are there are held against their seals besides: a digest each. */
async function same(t: ExecutionContext, classes: Readonly<Record<string, Asked>>, from?: HttpBrowser): Promise<void> {
  const [first, ...others] = Object.entries(classes);
  const wanted = await costOf(first![1], from);
  t.true(Object.keys(wanted).length > 3, 'the counting hears the store');
  for (const [name, asked] of others) t.deepEqual(await costOf(asked, from), wanted, name);
}

const recover =
  (person: { readonly name: string; readonly idNumber: string }): Asked =>
  async (_server, browser) => {
    await browser.get('/recover?new=1');
    return browser.submit({ name: person.name, idNumber: person.idNumber }, '/recover');
  };

test.serial('D9 P6 a recovery costs the same for whoever has an account and for nobody, whoever it is', (t) =>
  same(t, { 'has an account': recover(CHEN), 'has none': recover(SUN), 'another who has none': recover(WU) }),
);

const recoverWithCode =
  (idNumber: string): Asked =>
  async (_server, browser) => {
    await browser.get('/recover/with-code');
    return browser.submit({ identifier: idNumber, recoveryCode: 'ABCD-EFGH-JKMN-PQRS' }, '/recover/with-code');
  };

test.serial(
  'D9 P6 what is told of a person is sealed under a key of theirs from the beginning, which no stranger makes',
  async (t) => {
    for (const person of [CHEN, SUN])
      t.is((await costOf(recover(person)))[READ_KEY], 1, 'nor is it kept in memory for whoever was here lately');
    const [row] = await server.house.database.all(
      'SELECT count(*) AS keys FROM ledger_subject_keys WHERE subject = $1',
      [await server.addPerson({ idNumber: '339900197809230034', name: '周建国' })],
    );
    t.deepEqual({ ...(row as object) }, { keys: 1 });
  },
);

test.serial('D9 P6 so does a recovery code that is wrong', (t) =>
  same(t, { 'has an account': recoverWithCode(CHEN.idNumber), 'has none': recoverWithCode(SUN.idNumber) }),
);

const signIn =
  (idNumber: string): Asked =>
  async (_server, browser, at) => {
    await browser.get(authorizationPath(at, { prompt: 'login' }));
    await browser.follow();
    return browser.submit({ identifier: idNumber, password: 'not the password' }, '/identify');
  };

test.serial('D9 P6 so does a wrong password, of somebody, of nobody and of somebody who is shut out', (t) =>
  same(t, {
    'a wrong password': signIn(CHEN.idNumber),
    nobody: signIn(SUN.idNumber),
    disabled: signIn(LI.idNumber),
  }),
);

test.serial('D9 P6 and from a browser that is known to somebody else', (t) =>
  same(t, { 'a wrong password': signIn(CHEN.idNumber), nobody: signIn(SUN.idNumber) }, own),
);

const register =
  (person: { readonly name: string; readonly idNumber: string }): Asked =>
  async (_server, browser) => {
    await browser.get('/register');
    return browser.submit({ name: person.name, idNumber: person.idNumber }, '/register');
  };

test.serial('D9 P6 the first page of a registration costs the same whoever has an account', (t) =>
  same(t, { 'has an account': register(CHEN), 'has none': register(SUN) }),
);

test.serial('D9 P6 binding a phone costs the same whoever has it', async (t) => {
  const browser = server.browser();
  await server.signIn(browser, portal);
  const bind =
    (phones: readonly string[]): Asked =>
    async (_server, from) => {
      await from.get('/account/methods/phone');
      return from.submit({ address: phones[asked++ % phones.length] ?? '' }, '/account/methods/phone');
    };
  let asked = 0;
  const some = () => [freshPhone(), freshPhone(), freshPhone(), freshPhone(), freshPhone()];
  const taken = some();
  // A person has one phone: five that are taken are five people's.
  for (const [index, idNumber] of OTHERS.entries()) {
    const id = await server.addPerson({ idNumber, name: '郑安宁' });
    const proof = { origin: 'test', verifiedBy: 'test' };
    await server.house.identifiers.bind(id, identifierOf('phone', taken[index] ?? ''), proof);
  }
  await server.house.persons.found.copies?.sealSome('', 100);
  await same(t, { 'somebody else’s': bind(taken), 'nobody’s': bind(some()) }, browser);
});
