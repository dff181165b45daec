import { hash } from 'argon2';
import test, { type ExecutionContext } from 'ava';
import { hmacKey, hmacSm3 } from '../src/crypto/digests.ts';
import { costOf, unmatchableHash } from '../src/factors/argon2-phc.ts';
import { Fault } from '../src/shared/fault.ts';
import { sqliteDatabase } from './support/databases.ts';
import { ledgerEntries } from './support/ledger.ts';
import { addPerson, CHEAP_PASSWORDS, idNumberOf, PEPPER, testPasswords, testPersons } from './support/people.ts';

const PASSWORD = 'correct horse battery';

async function person(t: ExecutionContext) {
  const database = await sqliteDatabase(t);
  const idNumber = idNumberOf('339900199001011014');
  const id = await addPerson(testPersons(database), { idNumber, name: '王小明', ial: 1, origin: 'test' });
  const storedHash = async () =>
    (await database.get<{ hash: string }>('SELECT hash FROM passwords WHERE person_id = $1', [id]))?.hash;
  const plant = (phc: string) => database.run('UPDATE passwords SET hash = $1 WHERE person_id = $2', [phc, id]);
  return { database, id, storedHash, plant };
}

test('a password is what was set and nothing else, and setting it is an event', async (t) => {
  const { database, id } = await person(t);
  const factor = testPasswords(database);
  t.is(await factor.verify(id, PASSWORD), 'mismatch', 'without a password nothing matches');
  t.is(await factor.set(id, PASSWORD, 'test'), 'set');
  t.is(await factor.verify(id, PASSWORD), 'match');
  for (const wrong of ['', ' ', PASSWORD.toUpperCase(), `${PASSWORD} `, `${PASSWORD}\0`, PASSWORD.slice(0, -1)]) {
    t.is(await factor.verify(id, wrong), 'mismatch', JSON.stringify(wrong));
  }
  await factor.set(id, 'another long sentence', 'test');
  t.is(await factor.verify(id, PASSWORD), 'mismatch');
  const events = await ledgerEntries(database, 'password.changed');
  t.is(events.length, 2);
});

test('D4 a password is compared whole: behind NUL, beyond 72 bytes and in four-byte letters', async (t) => {
  const { database, id } = await person(t);
  const factor = testPasswords(database);
  const pairs = [
    ['before\0after-one', 'before\0after-two'],
    [`${'a'.repeat(72)}one`, `${'a'.repeat(72)}two`],
    ['𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷', '𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮶'],
    [`${'长'.repeat(255)}一`, `${'长'.repeat(255)}二`],
  ] as const;
  for (const [right, wrong] of pairs) {
    await factor.set(id, right, 'test');
    t.is(await factor.verify(id, right), 'match');
    t.is(await factor.verify(id, wrong), 'mismatch');
  }
});

test('D4 a password set in full-width letters opens in ASCII and the other way round', async (t) => {
  const { database, id } = await person(t);
  const factor = testPasswords(database);
  const fullWidth = 'Ｔｅａ－ａｔ－ｆｉｖｅ９';
  await factor.set(id, fullWidth, 'test');
  t.is(await factor.verify(id, 'Tea-at-five9'), 'match');
  await factor.set(id, 'Tea-at-five9', 'test');
  t.is(await factor.verify(id, fullWidth), 'match');
});

test('D9 unknown person, person without password and wrong password cost the same number of hashes', async (t) => {
  const { database, id } = await person(t);
  const factor = testPasswords(database);
  const hashesFor = async (who: string | undefined, password: string) => {
    const before = factor.load().started;
    t.is(await factor.verify(who, password), 'mismatch');
    return factor.load().started - before;
  };
  t.is(await hashesFor(undefined, PASSWORD), 1);
  t.is(await hashesFor('psn_none', PASSWORD), 1);
  t.is(await hashesFor(id, PASSWORD), 1);
  await factor.set(id, PASSWORD, 'test');
  t.is(await hashesFor(id, 'wrong password'), 1);
  // Answered before any hash, for everybody alike (D1).
  for (const hopeless of ['x'.repeat(257), '\ud800 is no text', 'ﷺ'.repeat(200)]) {
    t.is(await hashesFor(id, hopeless), 0);
    t.is(await hashesFor(undefined, hopeless), 0);
  }
  t.deepEqual(costOf(unmatchableHash(CHEAP_PASSWORDS)), { memoryKib: 1024, iterations: 1, parallelism: 1 });
});

test('D5 the hash is Argon2id over the peppered password, worthless without the pepper, and salted', async (t) => {
  const { database, id, storedHash } = await person(t);
  const factor = testPasswords(database, { memoryKib: 19_456, iterations: 2 });
  await factor.set(id, PASSWORD, 'test');
  const first = await storedHash();
  t.regex(first ?? '', /^\$argon2id\$v=19\$m=19456,p=1,t=2\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  await factor.set(id, PASSWORD, 'test');
  t.not(await storedHash(), first);
  t.is(await testPasswords(database, {}, Buffer.alloc(32, 4)).verify(id, PASSWORD), 'mismatch');
});

test('D5 a hash under old parameters is renewed at the next sign-in with the right password only', async (t) => {
  const { database, id, storedHash } = await person(t);
  await testPasswords(database).set(id, PASSWORD, 'test');
  const old = await storedHash();
  const stronger = testPasswords(database, { memoryKib: 2048, iterations: 2 });
  t.is(await stronger.verify(id, 'wrong password'), 'mismatch');
  t.is(await storedHash(), old);
  t.is(await stronger.verify(id, PASSWORD), 'match');
  t.deepEqual(costOf((await storedHash()) ?? ''), { memoryKib: 2048, iterations: 2, parallelism: 1 });
  t.is(await stronger.verify(id, PASSWORD), 'match');
});

test('D5 a stored hash that asks for absurd work, or is no Argon2id, is refused without computing it', async (t) => {
  const { database, id, plant } = await person(t);
  const factor = testPasswords(database);
  await factor.set(id, PASSWORD, 'test');
  const peppered = hmacSm3(hmacKey(PEPPER), PASSWORD);
  const argon2i = await hash(peppered, { type: 1, memoryCost: 1024, timeCost: 2, parallelism: 1 });
  const tail = '$RCYsAAMSN9/kc89RxM8C0Q$qNJsPmeeBAL+Q0SGisAB4zghtgvFkzoZaYFHfEDZEao';
  const planted = [
    argon2i,
    '',
    'plain',
    `$argon2id$v=19$m=4194304,p=1,t=1${tail}`,
    `$argon2id$v=19$m=1024,p=1,t=5000${tail}`,
    `$argon2id$v=19$m=1024,p=200,t=1${tail}`,
    `$argon2id$v=19$m=0,p=0,t=0${tail}`,
    `$argon2id$v=16$m=1024,p=1,t=1${tail}`,
    `$argon2id$v=19$m=1024,p=1,t=1,data=AAAA${tail}`,
  ];
  const before = factor.load().started;
  for (const phc of planted) {
    await plant(phc);
    const fault = await t.throwsAsync(factor.verify(id, PASSWORD), { instanceOf: Fault }, phc);
    t.false(fault?.message.includes(PASSWORD));
  }
  t.is(factor.load().started, before);
});

test('X6 when the hash queue is full a sign-in is told so, whoever it is for', async (t) => {
  const { database, id } = await person(t);
  const factor = testPasswords(database, { queueMax: 1, memoryKib: 19_456 });
  await factor.set(id, PASSWORD, 'test');
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, n) => factor.verify(n % 2 === 0 ? id : undefined, 'wrong password')),
  );
  t.is(answers.filter((answer) => answer === 'mismatch').length, 2, 'one running, one waiting');
  t.is(answers.filter((answer) => answer === 'busy').length, 10);
});
