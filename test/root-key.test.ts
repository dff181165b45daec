import test, { type ExecutionContext } from 'ava';
import { openHouse } from '../src/app.ts';
import { run } from '../src/commands/keys.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import type { Config } from '../src/config/schema.ts';
import { RING_PURPOSES } from '../src/crypto/secret-ring.ts';
import { keptLedgerKey, ledgerKey } from '../src/ledger/checkpoints/ledger-key.ts';
import { nowMs, turnClock } from '../src/shared/clock.ts';
import type { Fault } from '../src/shared/fault.ts';
import { randomSecret } from '../src/shared/random.ts';
import type { Database } from '../src/storage/database.ts';
import { runNightlyJob } from '../src/storage/nightly-job.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { temporaryFolder } from './support/folders.ts';
import { type KeyNode, keyConfig, keyNode, later } from './support/key-house.ts';
import { ledgerEntries } from './support/ledger.ts';
import { addPerson, idNumberOf } from './support/people.ts';
import { OFFLINE, refresh, tokensOf } from './support/portal-calls.ts';
import { authorizationPath, freePort, startServer } from './support/server.ts';

const WANG = { idNumber: idNumberOf('339900199001011014'), name: '王小明', ial: 2, origin: 'test' } as const;

test.afterEach.always(() => turnClock(0));

const configOf = (t: ExecutionContext): Config => {
  const config = keyConfig(t);
  const encryptionKey = randomSecret(32).toString('base64url');
  return {
    ...config,
    secrets: { ...config.secrets, encryptionKey },
  };
};

/** Replaces the configured keys of these purposes for good. */
async function replaceFirst(t: ExecutionContext, node: KeyNode): Promise<void> {
  for (const purpose of ['sealing', 'rows'] as const) await node.rotate(purpose);
  await node.reseal();
  later(3600);
  await node.ring.refresh();
  for (const purpose of ['sealing', 'rows'] as const)
    t.deepEqual(await node.keyRotation.retire(purpose, 'configured'), { ok: true });
}

const ringOf = ({ ring }: KeyNode) => RING_PURPOSES.map((purpose) => ring.keys(purpose)[0]?.material);

/** With what the ledger of a store signs that has no file for it. */
const verifierOf = async (raw: Database, { master }: KeyNode): Promise<string> =>
  ledgerKey({ origin: 'x/audit', file: '', kept: await keptLedgerKey(raw, master), rootKey: master.root }).verifierKey;

const rootSetting = async (database: Database): Promise<string | undefined> =>
  (await database.get<{ value: string }>("SELECT value FROM settings WHERE name = 'keyring.root'", []))?.value;

const ENGINES = [
  { on: embeddedTest, name: 'SQLite', open: sqliteDatabase },
  { on: postgresTest, name: 'PostgreSQL', open: postgresDatabase },
] as const;

for (const { on, name, open } of ENGINES) {
  on.serial(
    `H2 on ${name} another root is drawn once nothing is made of the last one, and everything goes on`,
    async (t) => {
      const raw = await open(t);
      const config = configOf(t);
      const node = await keyNode(t, raw, config);
      const wang = await addPerson(node.persons, WANG);
      t.deepEqual(await node.rootRotation.rotate(), { ok: false, reason: 'standing', purposes: ['sealing', 'rows'] });
      const willing = await keyNode(t, raw, config);
      await replaceFirst(t, willing);
      const [materials, verifier] = [ringOf(willing), await verifierOf(raw, willing)];

      t.like(await willing.rootRotation.rotate(), { ok: true });
      const after = await keyNode(t, raw, config);
      t.notDeepEqual(Buffer.from(after.rootKey), Buffer.from(willing.rootKey));
      t.is(after.rootKey.length, 32);
      t.deepEqual(ringOf(after), materials);
      t.is(await verifierOf(raw, after), verifier, 'a ledger has one key from its first day');
      t.is((await after.persons.profile(wang))?.name, WANG.name);
      t.deepEqual(after.altered, []);
      const told = (await ledgerEntries(raw, 'key.rotated')).filter(({ data }) => Object(data).purpose === 'root');
      t.is(told.length, 1);

      // The keys stand under the new root: a seal of before is none, nor is the mark of before.
      await raw.run("UPDATE keys SET state = 'previous' WHERE purpose = 'pepper'", []);
      t.is((await t.throwsAsync<Fault>(keyNode(t, raw, config)))?.code, 'row_altered');
      await raw.run("UPDATE keys SET state = 'current' WHERE purpose = 'pepper'", []);
      t.like(await (await keyNode(t, raw, config)).rootRotation.rotate(), { ok: true }, 'and again');
      t.is((await (await keyNode(t, raw, config)).persons.profile(wang))?.name, WANG.name);
    },
  );

  on.serial(`H2 H10 on ${name} no root is drawn while a server runs, nor where a key was altered`, async (t) => {
    const raw = await open(t);
    const config = configOf(t);
    const node = await keyNode(t, raw, config);
    await replaceFirst(t, node);
    const office = 'INSERT INTO offices (name, fence, holder, lease_until_ms) VALUES ($1, 1, $2, $3)';
    await raw.run(office, ['clearing', 'somebody', nowMs() + 5_000]);
    t.deepEqual(await node.rootRotation.rotate(), { ok: false, reason: 'serving' });
    await raw.run('DELETE FROM offices', []);
    await raw.run("UPDATE keys SET alg = 'none' WHERE purpose = 'cookies'", []);
    const other = await keyNode(t, raw, { ...config, keys: { ...config.keys, alteredRows: 'tell' } });
    t.is((await t.throwsAsync<Fault>(other.rootRotation.rotate()))?.code, 'row_altered');
    t.is(await rootSetting(raw), undefined, 'nothing was changed');
  });
}

const WAITED = 'UPDATE keys SET created_at = created_at - 3600, retires_at = retires_at - 3600';

const command = async (house: Parameters<typeof run>[1]['house']) => {
  let said = '';
  const hear = {
    write: (text: string) => {
      said += text;
    },
  };
  return { code: await run(['rotate', 'root'], { house, stdout: hear, stderr: hear }), said };
};

test('H2 the command draws another root once every server has stopped, and nobody is signed out', async (t) => {
  const port = await freePort();
  const place = { dataDir: temporaryFolder(t), port, issuer: `http://localhost:${port}` };
  const first = await startServer(undefined, place);
  const { house } = first;
  await first.addPerson(WANG);
  const portal = await first.addPortal();
  const browser = first.browser();
  const tokens = await tokensOf(first, portal, browser, OFFLINE);
  t.regex((await command(house)).said, /nothing was changed. A server runs/);
  await house.secretRing.refresh();
  for (const purpose of ['sealing', 'rows'] as const) {
    await house.keyRotation.stage(purpose);
    await house.database.run(WAITED, []);
    t.true((await house.keyRotation.putInUse(purpose)).ok);
  }
  await first.stop();

  const prepared = prepareConfig({ env: { TONGBAN_PROFILE: 'test' }, overrides: place });
  if (!prepared.ok) throw new Error(prepared.sentences.join());
  const between = await openHouse(prepared.config);
  const { database } = between;
  const refused = await command(between);
  t.is(refused.code, 1);
  t.regex(refused.said, /nothing was changed.*rotate, reseal and retire them first: sealing, rows/);
  await runNightlyJob({ database, job: between.resealing(100_000) });
  await database.run(WAITED, []);
  for (const purpose of ['sealing', 'rows'] as const)
    t.deepEqual(await between.keyRotation.retire(purpose, 'configured'), { ok: true });
  t.is((await command(between)).code, 0);
  await between.close();

  const after = await startServer(t, place);
  t.notDeepEqual(Buffer.from(after.house.rootKey), Buffer.from(house.rootKey));
  const silent = await browser.get(authorizationPath(portal, { prompt: 'none' }));
  t.true(String(silent.location).includes('code='), 'still signed in');
  t.is((await refresh(after, portal, tokens.refresh_token)).status, 200);
  t.truthy((await tokensOf(after, portal, after.browser())).access_token);
  t.is(after.house.ledgerKey.verifierKey, house.ledgerKey.verifierKey);
  t.deepEqual(await after.events('row.altered'), []);
});
