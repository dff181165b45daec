import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test, { type ExecutionContext } from 'ava';
import { run } from '../src/commands/move.ts';
import { checkConfig } from '../src/config/prepare.ts';
import { parseVerifierKey } from '../src/ledger/checkpoints/checkpoint.ts';
import { liveSource } from '../src/ledger/verifying/live-source.ts';
import { verifyLive } from '../src/ledger/verifying/verify-live.ts';
import { openDatabase } from '../src/storage/open.ts';
import { openPostgres } from '../src/storage/postgres.ts';
import { postgresSchema, postgresTest } from './support/databases.ts';
import { temporaryFolder } from './support/folders.ts';
import { OFFLINE, ROOMY, refresh, tokensOf, userinfo } from './support/portal-calls.ts';
import { cleanEnvironment } from './support/product.ts';
import { authorizationPath, freePort, LI, startServer, type TestServer, WANG } from './support/server.ts';
import { until } from './support/waiting.ts';

const MANY = 30_000;
const SOON = { ledger: { checkpointIntervalMs: 100 } } as const;

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function tongbanMove(...args: string[]): Promise<Said> {
  const said = { out: '', err: '' };
  const code = await run(args, {
    operator: 'test',
    check: (dataDir, url) =>
      checkConfig({
        env: { TONGBAN_PROFILE: 'test' },
        overrides: { dataDir, ...SOON, ...(url === undefined ? {} : { database: { url } }) },
      }),
    stdout: { write: (text) => (said.out += text) },
    stderr: { write: (text) => (said.err += text) },
  });
  return { code, ...said };
}

/** A county that has been served: somebody has signed in at a portal and is signed in still. */
async function county(t: ExecutionContext) {
  const dataDir = join(temporaryFolder(t), 'data');
  const port = await freePort();
  const place = { dataDir, port, issuer: `http://localhost:${port}` };
  const served = await startServer(undefined, { ...ROOMY, ...SOON, ...place });
  let stopped: Promise<void> | undefined;
  const server = {
    ...served,
    stop: () => {
      stopped ??= served.stop();
      return stopped;
    },
  };
  t.teardown(server.stop);
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  const browser = server.browser();
  const tokens = await tokensOf(server, portal, browser, OFFLINE);
  return { place, server, portal, browser, tokens, from: `sqlite:${join(dataDir, 'tongban.db')}` };
}

function fill(dataDir: string, rows: number): void {
  const file = new DatabaseSync(join(dataDir, 'tongban.db'));
  file.exec(`INSERT INTO counters (name, value, expires_at) WITH RECURSIVE n (i) AS
    (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) SELECT 'kept:' || i, i, 4000000000 FROM n`);
  file.close();
}

/** Runs the command in a process of its own and kills it when some of the rows are over, and not all. */
async function killedHalfway(t: ExecutionContext, dataDir: string, from: string, url: string): Promise<number> {
  const env = { ...cleanEnvironment(), TONGBAN_PROFILE: 'test', TONGBAN_DATA_DIR: dataDir, TONGBAN_DATABASE_URL: url };
  const child = spawn(process.execPath, ['src/main.js', 'move', '--from', from], { env, stdio: 'ignore' });
  const closed = once(child, 'close');
  const target = await openPostgres({ url, poolMax: 1 });
  t.teardown(() => target.close());
  const moved = async (): Promise<number> => {
    const rows = await target
      .all<{ moved: number }>("SELECT moved FROM move_state WHERE name = 'counters'", [])
      .catch(() => []);
    return rows[0]?.moved ?? 0;
  };
  t.true(await until(async () => (await moved()) > 0, 60_000));
  child.kill('SIGKILL');
  await closed;
  return moved();
}

postgresTest(
  'X14 a county moves to PostgreSQL, through a kill in the middle, and its people notice nothing',
  async (t) => {
    t.timeout(180_000);
    const { place, server, portal, browser, tokens, from } = await county(t);
    const url = await postgresSchema(t);
    const served = await tongbanMove('--from', from, '--to', url);
    t.is(served.code, 1);
    t.regex(served.err, /file is in use/);
    await server.stop();
    fill(place.dataDir, MANY);

    const half = await killedHalfway(t, place.dataDir, from, url);
    t.true(half > 0 && half < MANY, `${half} rows were over`);
    await t.throwsAsync(openDatabase({ url }), { message: /move broke off: run it again/ });
    const again = await tongbanMove('--from', from, '--to', url);
    t.is(again.code, 0, again.err);
    const [, there] = /(\d+) of them are there already/.exec(again.out) ?? [];
    t.true(Number(there) >= half);
    t.regex(again.out, /^counters +300\d\d {2}[0-9a-f]{64}$/m);
    t.notRegex(again.out, /DIFFERS/);
    t.regex(again.out, /The ledger: \d+ signed entries, their root computed anew/);

    rmSync(join(place.dataDir, 'tongban.db'));
    const moved = await startServer(t, { ...ROOMY, ...SOON, ...place, database: { url } });
    const silent = await browser.get(authorizationPath(portal, { prompt: 'none', scope: 'openid profile' }));
    t.true(String(silent.location).includes('code='), String(silent.location));
    t.is((await userinfo(moved, tokens.access_token)).status, 200);
    t.is((await refresh(moved, portal, tokens.refresh_token)).status, 200);
    t.truthy(
      (await tokensOf(moved, portal, moved.browser())).access_token,
      'who knows the password signs in as before',
    );
    await moved.addPerson(LI);
    const [event] = await moved.events('server.moved');
    t.like(event, { actor: 'operator:test' });
    t.true(Number(event?.data.rows) > MANY);
    await ledgerStands(t, moved);
  },
);

async function ledgerStands(t: ExecutionContext, { house }: TestServer): Promise<void> {
  const size = await house.ledgerReader.signedSize();
  t.true(await until(async () => (await house.ledgerReader.signedSize()) > size));
  const key = parseVerifierKey(house.ledgerKey.verifierKey)!;
  const outcome = await verifyLive(liveSource(house.database), { key, witnesses: [] });
  t.is(outcome.verdict, 'good', outcome.reason);
  t.true(outcome.counts.size > size);
}

postgresTest(
  'X14 a look before the move changes nothing, and what cannot be moved is said before it begins',
  async (t) => {
    const { place, server, from } = await county(t);
    await server.stop();
    const url = await postgresSchema(t);
    const target = await openPostgres({ url, poolMax: 2 });
    t.teardown(() => target.close());
    const tables = (): Promise<unknown[]> =>
      target.all('SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()', []);
    const look = await tongbanMove('--from', from, '--to', url, '--dry-run');
    t.is(look.code, 0, look.err);
    t.regex(look.out, /^persons +1$/m);
    t.regex(look.out, /It can be done. Nothing was changed.\n$/);
    t.deepEqual(await tables(), []);

    const lost = join(temporaryFolder(t), 'data');
    cpSync(place.dataDir, lost, { recursive: true });
    const secrets = { encryptionKey: 'K'.repeat(43) };
    const refused = { out: '', err: '' };
    const code = await run(['--from', `sqlite:${lost}`, '--to', url], {
      operator: 'test',
      check: (dataDir, to) =>
        checkConfig({ env: { TONGBAN_PROFILE: 'test' }, overrides: { dataDir, secrets, database: { url: to ?? '' } } }),
      stdout: { write: (text) => (refused.out += text) },
      stderr: { write: (text) => (refused.err += text) },
    });
    t.is(code, 1, 'with other secrets nothing could be opened');
    t.regex(refused.err, /encryptionKey/);

    for (const args of [
      [],
      ['--from', 'postgres://x'],
      ['--from', from, '--to', 'sqlite:x'],
      ['--from', from, '--back'],
    ])
      t.is((await tongbanMove(...args)).code, 2, args.join(' '));
    t.is((await tongbanMove('--from', 'sqlite:/nowhere/tongban.db', '--to', url)).code, 1);
    t.is((await tongbanMove('--from', from)).code, 1, 'no target is named');
    t.deepEqual(await tables(), []);

    const occupied = await openDatabase({ url, poolMax: 2 });
    await occupied.run("INSERT INTO settings (name, value) VALUES ('a', 'b')", []);
    await occupied.close();
    const full = await tongbanMove('--from', from, '--to', url);
    t.is(full.code, 1);
    t.regex(full.err, /something in settings of the target already/);
  },
);

postgresTest('X14 a move does not go on with a file that was worked on since it began', async (t) => {
  t.timeout(120_000);
  const { place, server, from } = await county(t);
  await server.stop();
  fill(place.dataDir, MANY);
  const url = await postgresSchema(t);
  await killedHalfway(t, place.dataDir, from, url);
  const between = await startServer(undefined, { ...SOON, ...place });
  await between.stop();
  const refused = await tongbanMove('--from', from, '--to', url);
  t.is(refused.code, 1);
  t.regex(refused.err, /this one was worked on after its move began/);
});

test('X14 what is not a move is answered with the usage', async (t) => {
  const answer = await tongbanMove('--from', 'somewhere');
  t.is(answer.code, 2);
  t.regex(answer.err, /^Usage:/);
});
