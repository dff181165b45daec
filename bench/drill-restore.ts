import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { monotonicMs } from '../src/shared/clock.ts';
import { OFFLINE, payloadOf, ROOMY, refresh, tokensOf, userinfo } from '../test/support/portal-calls.ts';
import { tongban } from '../test/support/product.ts';
import { authorizationPath, startServer, type TestServer } from '../test/support/server.ts';
import { createDrillReport } from './drill-report.ts';
import { inventedPerson } from './peers.ts';
import { drillRestorePostgres } from './restore-postgres.ts';
import { endServersOnSignal } from './server-process.ts';

/*
 * `npm run drill:restore -- [--people 50] [--engine sqlite|postgres]`: people sign in and get tokens; a backup is made while sign-ins go on; then some are signed out,
 * the server is ended and the backup brought back into an empty folder. Nobody's session or token of before may work, everybody must be
 * able to sign in as the person they were, and the ledger that came back must prove itself. Prints the figures and ends with 1 on a miss.
 * On PostgreSQL the backup is a base backup with an archive of the log (restore-postgres.ts).
 */

const { values } = parseArgs({
  options: { people: { type: 'string', default: '50' }, engine: { type: 'string', default: 'sqlite' } },
});
const PEOPLE = Number(values.people);
if (values.engine === 'postgres') {
  endServersOnSignal();
  process.exit(await drillRestorePostgres(PEOPLE));
}
if (values.engine !== 'sqlite') throw new Error('--engine is sqlite or postgres');

const numberOf = (n: number): string => inventedPerson(n).identifier;
const firstLine = (text: string): string => text.trim().split('\n')[0] ?? '';
const report = createDrillReport();
const { expect } = report;

const folder = await mkdtemp(join(tmpdir(), 'tongban-restore-'));
const key = join(folder, 'backup.key');
const archive = join(folder, 'tongban.backup');
const restored = join(folder, 'restored');
await writeFile(key, randomBytes(48).toString('base64'));
const envOf = (server: Pick<TestServer, 'issuer'>, dataDir: string): Record<string, string> => ({
  TONGBAN_PROFILE: 'test',
  TONGBAN_DATA_DIR: dataDir,
  TONGBAN_PORT: new URL(server.issuer).port,
});

const server = await startServer(undefined, ROOMY);
let after: TestServer | undefined;
try {
  for (let n = 0; n < PEOPLE; n += 1) await server.addPerson({ idNumber: numberOf(n), name: inventedPerson(n).name });
  const portal = await server.addPortal();
  const before: {
    readonly tokens: Record<string, unknown>;
    readonly cookies: readonly { name: string; value: string }[];
  }[] = [];
  const redeem = async (at: TestServer, n: number) => {
    const browser = at.browser();
    await at.signIn(browser, portal, { identifier: numberOf(n) });
    return { browser, tokens: await tokensOf(at, portal, browser, OFFLINE) };
  };
  for (let n = 0; n < PEOPLE; n += 1) {
    const { browser, tokens } = await redeem(server, n);
    before.push({ tokens, cookies: browser.cookies() });
  }
  let goesOn = true;
  let meanwhile = 0;
  const traffic = (async () => {
    while (goesOn) {
      await redeem(server, meanwhile % PEOPLE);
      meanwhile += 1;
    }
  })();
  const backupMs = monotonicMs();
  const made = await tongban(['backup', archive, '--key-file', key], envOf(server, server.dataDir));
  const tookMs = Math.round(monotonicMs() - backupMs);
  goesOn = false;
  await traffic;
  expect(
    made.code === 0,
    `a backup of ${(await stat(archive)).size} bytes in ${tookMs} ms, beside ${meanwhile} sign-ins`,
  );
  for (let n = 0; n < PEOPLE; n += 2) {
    const person = await server.house.persons.findByIdNumber(numberOf(n) as never);
    await server.house.sessionEnds.endAll(person?.id ?? '', 'ended_by_person');
  }
  // What the keeper of the ledger has at home.
  const ledgerKey = join(folder, 'ledger.key');
  await writeFile(ledgerKey, (await tongban(['audit', 'key'], envOf(server, server.dataDir))).stdout);
  await server.stop();

  const restoreMs = monotonicMs();
  const back = await tongban(['restore', archive, '--to', restored, '--key-file', key], envOf(server, restored));
  expect(
    back.code === 0,
    `brought back in ${Math.round(monotonicMs() - restoreMs)} ms: ${back.stdout.trim().split('\n').at(-1)}`,
  );
  after = await startServer(undefined, { ...ROOMY, dataDir: restored });
  const verified = await tongban(['audit', 'verify', '--live', '--key', ledgerKey], envOf(server, restored));
  expect(verified.code === 0, `the ledger that came back proves itself: ${firstLine(verified.stdout)}`);
  let alive = 0;
  let same = 0;
  for (const [n, { tokens, cookies }] of before.entries()) {
    if ((await userinfo(after, tokens.access_token)).status === 200) alive += 1;
    if ((await refresh(after, portal, tokens.refresh_token)).status === 200) alive += 1;
    const browser = after.browser();
    for (const { name, value } of cookies) browser.setCookie(after.issuer, `${name}=${value}; Path=/`);
    const silent = await browser.get(authorizationPath(portal, { prompt: 'none' }));
    if (!String(silent.location).includes('error=login_required')) alive += 1;
    const again = await redeem(after, n);
    if (payloadOf(again.tokens.id_token).sub === payloadOf(tokens.id_token).sub) same += 1;
  }
  expect(alive === 0, `${alive} of ${3 * PEOPLE} sessions and tokens of before still worked`);
  expect(same === PEOPLE, `${same} of ${PEOPLE} people signed in as who they were`);
} finally {
  await after?.stop();
  await rm(folder, { recursive: true, force: true });
}
process.exitCode = report.exitCode();
