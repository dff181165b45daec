import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { type House, openHouse } from '../src/app.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import { parseIdNumber } from '../src/people/id-number.ts';
import { syntheticPerson } from '../src/people/seeding/synthetic-people.ts';
import { monotonicMs } from '../src/shared/clock.ts';
import { Browser } from './browser.ts';
import { Connection } from './connection.ts';
import { createDrillReport, machineSentence } from './drill-report.ts';
import { startEnrolments } from './enrolments.ts';
import { ledgerComplaint } from './kept-evidence.ts';
import { startMovingName } from './moving-name.ts';
import { type OwnPostgres, startFromBackup, startOwnPostgres } from './own-postgres.ts';
import { startOwnRedis } from './own-redis.ts';
import { LEAST_HASH, type Started, startPeer } from './peers.ts';
import { CONSENT } from './scenarios.ts';
import { runCommand } from './server-process.ts';
import { authorizationPath, authorize, memberOf, portalRequest, redeem } from './sign-in.ts';

/*
 * The way back that docs/operations.md has for PostgreSQL, done as it stands there: a base backup beside sign-ins, the archive of the log, a moment
 * to come back to, `tongban restore epoch`, an emptied Redis.
 */

const ENROL_EVERY_MS = 50;
const ENROL_MS = 3_000;
const ARCHIVED_MS_MAX = 60_000;

/** What somebody had before the server was lost. */
interface Held {
  readonly browser: Browser;
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly subject: string;
}

async function signedIn(server: Started, person: number): Promise<Held> {
  const browser = new Browser(server.origin);
  const query = { ...CONSENT, scope: 'openid profile offline_access' };
  const { code } = await authorize(server, browser, authorizationPath(server, query), server.people[person]);
  const answer = await redeem(server, browser.connection, code);
  const [, payload = ''] = memberOf(answer, 'id_token').split('.');
  const { sub } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { readonly sub: string };
  return {
    browser,
    accessToken: memberOf(answer, 'access_token'),
    refreshToken: memberOf(answer, 'refresh_token'),
    subject: sub,
  };
}

/** How many of session, access token and refresh token still work. */
async function stillWorking(server: Started, { browser, accessToken, refreshToken }: Held): Promise<number> {
  const connection = new Connection(server.origin);
  try {
    const bearer = { authorization: `Bearer ${accessToken}` };
    const userinfo = await fetch(new URL(server.endpoints.userinfo, server.origin), { headers: bearer });
    const fields = { grant_type: 'refresh_token', refresh_token: refreshToken };
    const renewed = await connection.exchange(portalRequest(server, server.endpoints.token, fields));
    const here = browser.at(server.origin);
    const silent = await authorize(server, here, authorizationPath(server, { prompt: 'none' })).then(
      () => true,
      () => false,
    );
    here.connection.close();
    return [userinfo.status === 200, renewed.status === 200, silent].filter(Boolean).length;
  } finally {
    connection.close();
  }
}

async function ask(server: OwnPostgres, statement: string): Promise<Record<string, unknown>> {
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  try {
    return (await client.query(statement)).rows[0] ?? {};
  } finally {
    await client.end();
  }
}

/** Ends the segment of the log that is written at, and waits until the archive has it. */
async function archived(server: OwnPostgres): Promise<void> {
  const { segment } = await ask(server, 'SELECT pg_walfile_name(pg_switch_wal()) AS segment');
  const deadlineMs = monotonicMs() + ARCHIVED_MS_MAX;
  for (;;) {
    const { last } = await ask(server, 'SELECT last_archived_wal AS last FROM pg_stat_archiver');
    if (typeof last === 'string' && last >= String(segment)) return;
    if (monotonicMs() > deadlineMs) throw new Error('the log is not archived');
    await pause(100);
  }
}

const openBeside = (server: Started): Promise<House> => {
  const prepared = prepareConfig({ env: server.env ?? {} });
  if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
  return openHouse(prepared.config);
};

/** Accounts opened for a while; their places. */
async function accountsOf(server: Started, from: number): Promise<readonly number[]> {
  const houses = [await openBeside(server), await openBeside(server)] as const;
  const enrolments = startEnrolments(houses, ENROL_EVERY_MS, from);
  try {
    await pause(ENROL_MS);
  } finally {
    await enrolments.end();
    for (const house of houses) await house.close();
  }
  return [...enrolments.acknowledged];
}

async function thereOf(house: House, places: readonly number[]): Promise<number> {
  let there = 0;
  for (const place of places) {
    const parsed = parseIdNumber(syntheticPerson(place).idNumber);
    if (parsed.ok && (await house.persons.findByIdNumber(parsed.number)) !== undefined) there += 1;
  }
  return there;
}

/** `npm run drill:restore -- --engine postgres`. Resolves with the exit code: 1 when something was missed. */
export async function drillRestorePostgres(peopleCount: number): Promise<0 | 1> {
  const report = createDrillReport();
  const archiveCommand = (archive: string): string => `test ! -f ${archive}/%f && cp %p ${archive}/%f`;
  const first = await startOwnPostgres(['wal_level=replica']);
  const cleanups: (() => unknown)[] = [() => first.remove()];
  try {
    const archive = await first.folder('archive');
    await ask(first, `ALTER SYSTEM SET archive_command = '${archiveCommand(archive)}'`);
    await ask(first, 'ALTER SYSTEM SET archive_mode = on');
    await first.end('fast');
    await first.start();
    const name = await startMovingName(first.port);
    cleanups.push(() => name.close());
    const redis = await startOwnRedis();
    cleanups.push(() => redis.remove());
    const engine = { postgresUrl: `postgres://postgres@127.0.0.1:${name.port}/test`, redisUrl: redis.url };
    const server = await startPeer('ours', { hash: LEAST_HASH, peopleCount, engine });
    cleanups.push(() => server.stop());

    const held: Held[] = [];
    for (let person = 0; person < peopleCount; person += 1) held.push(await signedIn(server, person));
    const base = `${await first.folder('backup')}/base`;
    const backupMs = monotonicMs();
    const [, early] = await Promise.all([
      first.run(
        'pg_basebackup',
        ...['-h', '127.0.0.1', '-p', String(first.port), '-U', 'postgres', '-D', base],
        ...BACKUP,
      ),
      accountsOf(server, 0),
    ]);
    report.tell(
      `a base backup beside ${early.length} accounts that were opened, ${Math.round(monotonicMs() - backupMs)} ms`,
    );
    const later = await accountsOf(server, early.length);
    const until = String((await ask(first, 'SELECT now()::text AS now')).now);
    await pause(1_000);
    const lost = await accountsOf(server, early.length + later.length);
    const house = await openBeside(server);
    const parsed = parseIdNumber(server.people[0]!.identifier);
    const person = parsed.ok ? await house.persons.findByIdNumber(parsed.number) : undefined;
    await house.sessionEnds.endAll(person?.id ?? '', 'ended_by_person');
    await house.close();
    await archived(first);
    name.pointTo(undefined);
    await first.end('immediate');

    const backMs = monotonicMs();
    const back = await startFromBackup({ base, archive, until });
    // Ended last: what the server leaves behind there is removed before.
    cleanups.unshift(() => back.remove());
    while ((await ask(back, 'SELECT pg_is_in_recovery() AS waits')).waits !== false) await pause(50);
    name.pointTo(back.port);
    await redis.flush();
    report.tell((await runCommand(['src/main.js', 'restore', 'epoch'], server.env ?? {})).trim());
    await server.restart();
    report.tell(`back at ${until} and ready after ${Math.round(monotonicMs() - backMs)} ms`);
    await checkWhatCameBack(server, { held, early, later, lost }, report);
    report.tell(machineSentence());
    return report.exitCode();
  } finally {
    for (const clean of cleanups.toReversed()) await clean();
  }
}

/** As in docs/operations.md. */
const BACKUP = ['-Ft', '-z', '-X', 'stream', '--checkpoint=fast'];

interface Before {
  readonly held: readonly Held[];
  /** Places of accounts: opened beside the backup, after it, and after the moment that is come back to. */
  readonly early: readonly number[];
  readonly later: readonly number[];
  readonly lost: readonly number[];
}

async function checkWhatCameBack(
  server: Started,
  { held, early, later, lost }: Before,
  report: ReturnType<typeof createDrillReport>,
): Promise<void> {
  const house = await openBeside(server);
  try {
    const there = await thereOf(house, [...early, ...later]);
    const all = early.length + later.length;
    report.expect(
      there === all,
      `${there} of ${all} accounts of before the moment are there, ${later.length} of them by the log alone`,
    );
    const revived = await thereOf(house, lost);
    report.expect(revived === 0, `${revived} of ${lost.length} accounts of after the moment`);
  } finally {
    await house.close();
  }
  let working = 0;
  for (const one of held) working += await stillWorking(server, one);
  report.expect(working === 0, `${working} of ${3 * held.length} sessions and tokens of before still work`);
  let same = 0;
  for (const [person, { subject }] of held.entries()) {
    if ((await signedIn(server, person)).subject === subject) same += 1;
  }
  report.expect(same === held.length, `${same} of ${held.length} people signed in as who they were`);
  const complaint = await ledgerComplaint(server.env ?? {});
  report.expect(complaint === '', complaint || 'the ledger that came back verifies');
}
