import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Config } from '../src/config/schema.ts';
import { keyContext, masterId } from '../src/crypto/master-keys.ts';
import { createSealer, sealedWith } from '../src/crypto/sealing.ts';
import { RING_PURPOSES } from '../src/crypto/secret-ring.ts';
import { turnClock } from '../src/shared/clock.ts';
import { randomSecret } from '../src/shared/random.ts';
import type { Database } from '../src/storage/database.ts';
import { openDatabase } from '../src/storage/open.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { temporaryFolder } from './support/folders.ts';
import { keyConfig, keyNode } from './support/key-house.ts';
import { ledgerEntries } from './support/ledger.ts';
import { addPerson, idNumberOf } from './support/people.ts';

const WANG = { idNumber: idNumberOf('339900199001011014'), name: '王小明', ial: 2, origin: 'test' } as const;
const LI = { idNumber: idNumberOf('33990019850701009X'), name: '李思远', ial: 2, origin: 'test' } as const;

const freshKey = (): string => randomSecret(32).toString('base64url');
const idOf = (key: string): string => masterId(Buffer.from(key));

test.afterEach.always(() => turnClock(0));

/** Nodes of one house that were given these master keys, the first as `encryptionKey`. */
function configs(t: ExecutionContext): (encryptionKey: string, ...others: readonly string[]) => Config {
  const { secrets, ...config } = keyConfig(t);
  return (encryptionKey, ...otherEncryptionKeys) => ({
    ...config,
    secrets: { ...secrets, encryptionKey, otherEncryptionKeys },
  });
}

const mastersOf = async (database: Database): Promise<readonly string[]> => {
  const rows = await database.all<{ private_sealed: Uint8Array }>('SELECT private_sealed FROM keys', []);
  return [...new Set(rows.map(({ private_sealed: sealed }) => String(sealedWith(sealed))))];
};

/** What somebody who writes to the database would do to have a key of theirs used. */
const PLANT = `INSERT INTO keys (kid, purpose, alg, state, public_jwk, private_sealed, created_at)
  VALUES ($1, 'pepper', 'HMAC-SM3', 'next', '{}', $2, 0)`;

const ENGINES = [
  { on: embeddedTest, name: 'SQLite', open: sqliteDatabase },
  { on: postgresTest, name: 'PostgreSQL', open: postgresDatabase },
] as const;

for (const { on, name, open } of ENGINES) {
  on.serial(`H2 on ${name} another master key takes over while nodes work, and the last one can go`, async (t) => {
    const database = await open(t);
    const given = configs(t);
    const [old, fresh] = [freshKey(), freshKey()];
    const alone = await keyNode(t, database, given(old));
    const wang = await addPerson(alone.persons, WANG);
    t.deepEqual(await alone.masterRotation.rotate(), { ok: false, reason: 'none_given' });
    t.deepEqual(await alone.masterRotation.list(), [{ id: idOf(old), state: 'current' }]);

    const node = await keyNode(t, database, given(old, fresh));
    const other = await keyNode(t, database, given(fresh, old));
    t.is(other.master.ids()[0], idOf(old), 'the store decides, not who is named first');
    t.is((await other.persons.profile(wang))?.name, WANG.name);
    t.deepEqual(await mastersOf(database), ['configured']);
    t.deepEqual(await node.masterRotation.retire(idOf(old)), { ok: false, reason: 'in_use' });

    const outcome = await node.masterRotation.rotate();
    t.like(outcome, { ok: true, id: idOf(fresh) });
    t.deepEqual(await mastersOf(database), [idOf(fresh)]);
    t.deepEqual(await node.masterRotation.rotate(idOf(fresh)), { ok: false, reason: 'in_use' });

    // A node that has looked at nothing since makes a key: it stands under the new one all the same.
    await other.keyRotation.stage('cookies');
    t.deepEqual(await mastersOf(database), [idOf(fresh)]);
    const li = await addPerson(other.persons, LI);
    const after = await keyNode(t, database, given(fresh));
    for (const one of [node, other, after]) {
      await one.ring.refresh();
      one.persons.forget(wang);
      t.is((await one.persons.profile(wang))?.name, WANG.name);
      t.is((await one.persons.profile(li))?.name, LI.name);
      t.deepEqual(Buffer.from(one.rootKey), Buffer.from(old), 'what else is derived stays as it was');
      for (const purpose of RING_PURPOSES) {
        t.deepEqual(one.ring.keys(purpose)[0]?.material, node.ring.keys(purpose)[0]?.material, purpose);
      }
    }
    const late = await t.throwsAsync(keyNode(t, database, given(old)));
    t.regex(late.message, new RegExp(`master key ${idOf(fresh)}; this process was given ${idOf(old)}`));
    t.false(late.message.includes(old));

    t.deepEqual(await after.masterRotation.retire(idOf(old)), { ok: true });
    t.deepEqual(await after.masterRotation.retire(idOf(old)), { ok: true }, 'once is enough');
    const told = (await ledgerEntries(database)).filter(({ data }) => Object(data).purpose === 'master');
    t.deepEqual(
      told.map(({ type, data }) => [type, Object(data).kid]),
      [
        ['key.rotated', idOf(fresh)],
        ['key.removed', idOf(old)],
      ],
    );
  });

  on.serial(`H2 on ${name} naming another key first changes nothing before it is put in use`, async (t) => {
    const database = await open(t);
    const given = configs(t);
    const [old, fresh] = [freshKey(), freshKey()];
    const wang = await addPerson((await keyNode(t, database, given(old))).persons, WANG);
    const swapped = await keyNode(t, database, given(fresh, old));
    t.is((await swapped.persons.profile(wang))?.name, WANG.name);
    await swapped.keyRotation.stage('pepper');
    t.deepEqual(await mastersOf(database), ['configured'], 'nor is anything written that the others cannot read');
    await t.throwsAsync(keyNode(t, database, given(fresh)), { message: /secrets\.encryptionKey is not the one/ });
  });

  on.serial(`X5 on ${name} of a change that is cut off nothing is there, and of a whole one everything`, async (t) => {
    const database = await open(t);
    const given = configs(t);
    const [old, fresh] = [freshKey(), freshKey()];
    const node = await keyNode(t, database, given(old, fresh));
    await database.run("UPDATE keys SET private_sealed = $1 WHERE kid = 'pepper:configured'", [Buffer.alloc(80, 1)]);
    await t.throwsAsync(node.masterRotation.rotate(), undefined, 'a row that does not open stops it');
    t.deepEqual(
      (await mastersOf(database)).filter((id) => id === idOf(fresh)),
      [],
    );
    t.deepEqual(await ledgerEntries(database, 'key.rotated'), []);
  });

  on.serial(`H2 on ${name} what is sealed with a retired master key is not opened, whoever was given it`, async (t) => {
    const database = await open(t);
    const given = configs(t);
    const [old, fresh, third] = [freshKey(), freshKey(), freshKey()];
    const node = await keyNode(t, database, given(old, fresh, third));
    t.deepEqual(await node.masterRotation.rotate(), {
      ok: false,
      reason: 'which',
      ids: [idOf(fresh), idOf(third)],
    });
    t.like(await node.masterRotation.rotate(idOf(third)), { ok: true });
    t.deepEqual(await node.masterRotation.rotate('00000000'), { ok: false, reason: 'unknown' });
    t.deepEqual(await node.masterRotation.retire('no name'), { ok: false, reason: 'unknown' });
    const key = Buffer.from(old);
    await node.database.run(PLANT, ['feedbeef', createSealer(key, idOf(old)).seal('', keyContext('feedbeef'))]);
    t.deepEqual(await node.masterRotation.retire(idOf(old)), { ok: false, reason: 'needed', rows: 1 });
    await database.run("DELETE FROM keys WHERE kid = 'feedbeef'", []);
    t.deepEqual(await node.masterRotation.retire(idOf(old)), { ok: true });
    for (const sealer of [createSealer(key), createSealer(key, idOf(old))]) {
      const kid = 'deadbeef';
      const planted = sealer.seal(Buffer.alloc(32, 7).toString('base64url'), keyContext(kid));
      await node.database.run(PLANT, [kid, planted]);
      await t.throwsAsync(keyNode(t, database, given(third, fresh, old)), { message: /deadbeef.*does not open/ });
      await database.run('DELETE FROM keys WHERE kid = $1', [kid]);
    }
    t.deepEqual(await node.masterRotation.rotate(idOf(old)), { ok: false, reason: 'retired' });
  });
}

test.serial('X5 a process killed in the middle of it leaves keys that open, and the next one does it', async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'tongban.db');
  const given = configs(t);
  const [old, fresh] = [freshKey(), freshKey()];
  const database = await openDatabase({ file });
  t.teardown(() => database.close());
  const node = await keyNode(t, database, given(old, fresh));
  const wang = await addPerson(node.persons, WANG);
  const rotate = async (killed: boolean): Promise<unknown> => {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'support/master-rotation-child.ts')], {
      env: { ...process.env, STORE: file, MASTERS: `${old} ${fresh}`, KILLED: String(killed) },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return (await once(child, 'exit'))[1];
  };
  t.is(await rotate(true), 'SIGKILL', 'after every row was sealed anew, before it was durable');
  t.deepEqual(await mastersOf(database), ['configured']);
  t.is((await (await keyNode(t, database, given(old))).persons.profile(wang))?.name, WANG.name);
  t.is(await rotate(false), null);
  t.deepEqual(await mastersOf(database), [idOf(fresh)]);
  t.is((await (await keyNode(t, database, given(fresh))).persons.profile(wang))?.name, WANG.name);
});
