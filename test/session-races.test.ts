import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import {
  endSessionRow,
  findSessionByUid,
  type SessionWrite,
  takePortalOut,
  writeSession,
} from '../src/oidc/session-rows.ts';
import { nowSeconds } from '../src/shared/clock.ts';
import type { Database } from '../src/storage/database.ts';
import { openDatabase } from '../src/storage/open.ts';
import { embeddedTest, postgresSchema, postgresTest, temporaryFolder } from './support/databases.ts';
import { keyConfig, keyNode } from './support/key-house.ts';

const ENGINES = [
  {
    on: embeddedTest,
    name: 'SQLite',
    place: async (t: ExecutionContext) => ({ file: join(temporaryFolder(t), 'tongban.sqlite') }),
  },
  {
    on: postgresTest,
    name: 'PostgreSQL',
    place: async (t: ExecutionContext) => ({ url: await postgresSchema(t), poolMax: 6 }),
  },
] as const;

const UID = 'u'.repeat(43);
const NEW: SessionWrite = {
  uid: UID,
  idDigest: 'first-id',
  accountId: null,
  payload: { kind: 'Session' },
  authorizations: {},
  expiresAt: nowSeconds() + 3600,
  readAs: undefined,
  address: null,
  userAgent: null,
};

const write = (database: Database, session: SessionWrite): Promise<void> =>
  database.write((tx) => writeSession(tx, database.engine, session));

/** The session as one request has read it, with one portal more. */
async function withPortal(database: Database, clientId: string): Promise<SessionWrite> {
  const readAs = (await findSessionByUid(database, UID))!;
  return {
    ...NEW,
    idDigest: readAs.idDigest,
    readAs,
    authorizations: { ...readAs.authorizations, [clientId]: { grantId: `grant of ${clientId}` } },
  };
}

for (const { on, name, place } of ENGINES) {
  const open = async (t: ExecutionContext): Promise<Database> => {
    const raw = await openDatabase(await place(t));
    t.teardown(() => raw.close());
    return (await keyNode(t, raw, keyConfig(t))).database;
  };

  on(
    `C10 V2 eight requests that have read one session and write it at once lose no portal of it (${name})`,
    async (t) => {
      const database = await open(t);
      await write(database, NEW);
      const portals = Array.from({ length: 8 }, (_, n) => `portal${n}`);
      const writes = await Promise.all(portals.map((clientId) => withPortal(database, clientId)));
      await Promise.all(writes.map((session) => write(database, session)));
      const { authorizations } = (await findSessionByUid(database, UID))!;
      t.deepEqual(Object.keys(authorizations).sort(), portals);
    },
  );

  on(`C10 two requests that begin one session at once make one (${name})`, async (t) => {
    const database = await open(t);
    await Promise.all([write(database, NEW), write(database, { ...NEW, idDigest: 'second-id' })]);
    const rows = await database.all('SELECT uid, id_digest FROM sessions', []);
    t.is(rows.length, 1);
  });

  on(`C11 what was signed out since it was read is not written again (${name})`, async (t) => {
    const database = await open(t);
    await write(database, NEW);
    const late = await withPortal(database, 'late');
    t.deepEqual(await database.write((tx) => endSessionRow(tx, UID)), {});
    await write(database, late);
    t.is(await findSessionByUid(database, UID), undefined);
    const [row] = await database.all<{ authorizations: string }>('SELECT authorizations FROM sessions', []);
    t.is(row!.authorizations, '{}');
  });

  on(`C11 a session ends with the portals it holds by then, whatever was read of it before (${name})`, async (t) => {
    const database = await open(t);
    await write(database, NEW);
    const entering = await withPortal(database, 'entered meanwhile');
    await write(database, entering);
    t.deepEqual(await database.write((tx) => endSessionRow(tx, UID)), entering.authorizations);
    t.is(await database.write((tx) => endSessionRow(tx, UID)), undefined, 'once');
  });

  on(`C10 what has run out ends, and not what was prolonged since it was seen to have (${name})`, async (t) => {
    const database = await open(t);
    await write(database, NEW);
    const end = (expiredBy: number) => database.write((tx) => endSessionRow(tx, UID, { expiredBy }));
    t.is(await end(NEW.expiresAt - 1), undefined);
    t.not(await findSessionByUid(database, UID), undefined);
    t.deepEqual(await end(NEW.expiresAt), {});
  });

  on(
    `C11 portals are taken out of a session one by one, and those that come in meanwhile stay (${name})`,
    async (t) => {
      const database = await open(t);
      await write(database, { ...NEW, authorizations: { first: { sid: 's1' }, second: { sid: 's2' } } });
      const entering = await withPortal(database, 'third');
      const takeOut = (clientId: string) => database.write((tx) => takePortalOut(tx, { uid: UID, clientId }));
      const [first, second] = await Promise.all([takeOut('first'), takeOut('second'), write(database, entering)]);
      t.deepEqual([first, second], ['s1', 's2']);
      t.deepEqual(Object.keys((await findSessionByUid(database, UID))!.authorizations), ['third']);
    },
  );
}
