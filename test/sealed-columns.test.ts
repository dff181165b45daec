import test, { type ExecutionContext } from 'ava';
import { parseIdentifier } from '../src/people/identifiers/identifier.ts';
import type { Fault } from '../src/shared/fault.ts';
import type { Database } from '../src/storage/database.ts';
import { SEALED_TABLES } from '../src/storage/sealed-columns.ts';
import { sqliteDatabase } from './support/databases.ts';
import { redemption, startServer, type TestServer, WANG } from './support/server.ts';

const CONTACT = { phone: '13800000000', email: 'wang@example.org' };

/** Every column of the schema that is named as sealed, but those of `keys`, which the master key seals. */
async function columnsNamedSealed(database: Database): Promise<readonly string[]> {
  const rows = await database.all<{ place: string }>(
    `SELECT m.name || '.' || c.name AS place FROM sqlite_schema m JOIN pragma_table_info(m.name) c
     WHERE m.type = 'table' AND (c.name = 'sealed' OR c.name LIKE '%\\_sealed' ESCAPE '\\') AND m.name <> 'keys' ORDER BY 1`,
    [],
  );
  return rows.map(({ place }) => place);
}

const COLUMNS = SEALED_TABLES.flatMap((sealed) => sealed.columns.map((column) => ({ sealed, column })));

test('the list of sealed columns is that of the schema', async (t) => {
  const listed = COLUMNS.map(({ sealed, column }) => `${sealed.table}.${column}`).toSorted();
  t.deepEqual(listed, [...(await columnsNamedSealed(await sqliteDatabase(t)))]);
});

/** Layout 2: one byte of the layout, of the key's id, of the IV, of the ciphertext and of the tag. */
const PLACES = { layout: 0, 'key id': 1, IV: 5, ciphertext: 21, tag: -1 } as const;

function flipped(sealed: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(sealed);
  const place = at < 0 ? copy.length + at : at;
  copy[place] = copy[place]! ^ 1;
  return copy;
}

async function underNewKey({ house }: TestServer): Promise<void> {
  await house.keyRotation.stage('sealing');
  await house.database.run("UPDATE keys SET created_at = created_at - 60 WHERE state = 'next'", []);
  const outcome = await house.keyRotation.putInUse('sealing');
  if (!outcome.ok) throw new Error(outcome.reason);
}

test('H5 of every sealed column of every table: altered anywhere, or moved to another row or column, it does not open, and that is on record', async (t) => {
  const server = await startServer(t);
  const { sealer } = server.house;
  await underNewKey(server);
  const refused: string[] = [];
  for (const { sealed, column } of COLUMNS) {
    const place = `${sealed.table}:${column}:${sealed.row.map((name) => `${name}-1`).join(':')}`;
    const value = sealer.seal('夜航船', place);
    t.is(sealer.unseal(value, place), '夜航船');
    const refuse = (bytes: Uint8Array, at: string, how: string): void => {
      const fault = t.throws<Fault>(() => sealer.unseal(bytes, at), undefined, `${how} of ${place}`);
      t.is(fault?.code, 'sealed_data_altered', `${how} of ${place}`);
      t.is(fault?.status, 503);
      refused.push(at);
    };
    for (const [how, at] of Object.entries(PLACES)) refuse(flipped(value, at), place, how);
    refuse(value.subarray(0, -1), place, 'cut');
    refuse(new Uint8Array(), place, 'empty');
    refuse(value, `${place}2`, 'another row');
    refuse(value, place.replace(column, 'other_sealed'), 'another column');
  }
  await server.house.failures.settle();
  const told = new Set(
    (await server.events('sealed-data.altered')).map(({ data }) => {
      const { table, column, row } = data as Record<string, string>;
      return `${table}:${column}:${row}`;
    }),
  );
  t.deepEqual(
    [...new Set(refused)].filter((place) => !told.has(place)),
    [],
  );
  t.true(told.has('legal_person_claim_reviews:reason_sealed:claim_id-1:reviewer-1'));
});

interface Signed {
  readonly server: TestServer;
  readonly wang: string;
  readonly get: (path: string) => Promise<{ readonly status: number; readonly text: string }>;
  readonly userinfo: () => Promise<{ readonly status: number; readonly body: string }>;
}

async function signedIn(t: ExecutionContext): Promise<Signed> {
  const server = await startServer(t);
  const { house } = server;
  const wang = await server.addPerson(WANG);
  for (const type of ['phone', 'email'] as const) {
    const parsed = parseIdentifier(type, CONTACT[type]);
    if (!parsed.ok) throw new Error(parsed.reason);
    await house.identifiers.bind(wang, parsed.identifier, { origin: 'test', verifiedBy: 'counter' });
  }
  const scope = 'openid profile phone email';
  const portal = await server.addPortal({ scope });
  const browser = server.browser({ accept: 'text/html' });
  const callback = await server.signIn(browser, portal, { query: { scope } });
  const { body } = await server.token(portal, redemption(callback));
  return {
    server,
    wang,
    async get(path) {
      await browser.get(path);
      return browser.page;
    },
    async userinfo() {
      const headers = { authorization: `Bearer ${String(body.access_token)}` };
      const answer = await fetch(`${server.issuer}/me`, { headers });
      return { status: answer.status, body: await answer.text() };
    },
  };
}

const PAGES = [
  ['persons', 'name_sealed', '/account'],
  ['persons', 'phone_sealed', '/account/methods'],
  ['persons', 'email_sealed', '/account/methods'],
  ['identity_documents', 'number_sealed', '/account/documents'],
] as const;

test('H5 whose row was altered is told so in words, with a number for the help line; nothing of it leaves, and others notice nothing', async (t) => {
  const { server, wang, get, userinfo } = await signedIn(t);
  const { database, persons, failures } = server.house;
  t.is((await userinfo()).status, 200);
  for (const [table, column, path] of PAGES) {
    t.is((await get(path)).status, 200, path);
    const owner = table === 'persons' ? 'id' : 'person_id';
    const row = await database.get<{ id: string; value: Uint8Array }>(
      `SELECT id, ${column} AS value FROM ${table} WHERE ${owner} = $1`,
      [wang],
    );
    const put = async (value: Uint8Array): Promise<void> => {
      await database.run(`UPDATE ${table} SET ${column} = $1 WHERE id = $2`, [value, row!.id]);
      persons.forget(wang);
    };
    await put(flipped(row!.value, -1));
    const page = await get(path);
    t.is(page.status, 503, `${path} ${column}`);
    t.regex(page.text, /1207/);
    t.notRegex(page.text, /at file:|sealing\.ts|_sealed/);
    await failures.settle();
    const told = (await server.events('sealed-data.altered')).at(-1);
    t.like(told?.data, { table, column, row: row!.id });
    if (column !== 'number_sealed') {
      const answer = await userinfo();
      t.is(answer.status, 503, `${answer.body} ${column}`);
      t.notRegex(answer.body, /at file:|sealing\.ts|_sealed/);
    }
    await put(row!.value);
  }
  t.is((await get('/account')).status, 200);
});
